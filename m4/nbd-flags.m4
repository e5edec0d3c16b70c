# nbd-flags.m4 - compiler flags that are used where the compiler knows them

# NBD_ADD_CFLAGS(VARIABLE, FLAG...): appends those flags to VARIABLE that compile.
AC_DEFUN([NBD_ADD_CFLAGS], [
    nbd_saved_CFLAGS=$CFLAGS
    for nbd_flag in m4_normalize([$2]); do
        AC_MSG_CHECKING([whether $CC accepts $nbd_flag])
        CFLAGS="$nbd_saved_CFLAGS -Werror $nbd_flag"
        AC_COMPILE_IFELSE([AC_LANG_PROGRAM],
            [AC_MSG_RESULT([yes])
             AS_VAR_APPEND([$1], [" $nbd_flag"])],
            [AC_MSG_RESULT([no])])
    done
    CFLAGS=$nbd_saved_CFLAGS
])

# NBD_NEED_CFLAGS(FLAGS, OPTION): adds them to CFLAGS and LDFLAGS of everything, or
# stops: without them the OPTION of configure would silently do nothing.
AC_DEFUN([NBD_NEED_CFLAGS], [
    CFLAGS="$CFLAGS $1"
    LDFLAGS="$LDFLAGS $1"
    AC_MSG_CHECKING([whether $CC can link with $1])
    AC_LINK_IFELSE([AC_LANG_PROGRAM],
        [AC_MSG_RESULT([yes])],
        [AC_MSG_RESULT([no])
         AC_MSG_ERROR([$2 needs a compiler that can link with $1])])
])
