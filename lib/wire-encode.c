/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wire-encode.c - NBD messages from numbers to bytes; allocates nothing */

#include "wire.h"

#include <string.h>

#include "base-bytes.h"

void
wire_encode_option(uint8_t *bytes, uint32_t option, uint32_t len)
{
    store_be64(bytes, WIRE_IHAVEOPT);
    store_be32(bytes + 8, option);
    store_be32(bytes + 12, len);
}

uint8_t *
wire_encode_string(uint8_t *bytes, const char *s, size_t len)
{
    store_be32(bytes, (uint32_t)len);
    memcpy(bytes + 4, s, len);
    return bytes + 4 + len;
}

size_t
wire_info_request_size(size_t name_len, size_t nr_infos)
{
    return 4 + name_len + 2 + 2 * nr_infos;
}

void
wire_encode_info_request(uint8_t *bytes, const char *name, size_t name_len,
                         const uint16_t *infos, size_t nr_infos)
{
    bytes = wire_encode_string(bytes, name, name_len);
    store_be16(bytes, (uint16_t)nr_infos);
    for (size_t i = 0; i < nr_infos; i++)
        store_be16(bytes + 2 + 2 * i, infos[i]);
}

uint32_t
wire_context_request_size(size_t name_len, char *const *queries)
{
    uint64_t size = 4 + name_len + 4;

    for (size_t i = 0; queries && queries[i]; i++) {
        size += 4 + strlen(queries[i]);
        if (size > INT32_MAX)
            return 0;
    }
    return (uint32_t)size;
}

void
wire_encode_context_request(uint8_t *bytes, const char *name, size_t name_len,
                            char *const *queries)
{
    uint8_t *count = wire_encode_string(bytes, name, name_len);
    uint32_t n = 0;

    bytes = count + 4;
    for (; queries && queries[n]; n++)
        bytes = wire_encode_string(bytes, queries[n], strlen(queries[n]));
    store_be32(count, n);
}

size_t
wire_encode_request(uint8_t *bytes, const struct wire_request *m, bool extended)
{
    store_be32(bytes, extended ? WIRE_EXTENDED_REQUEST_MAGIC : WIRE_REQUEST_MAGIC);
    store_be16(bytes + 4, m->flags);
    store_be16(bytes + 6, m->type);
    store_be64(bytes + 8, m->cookie);
    store_be64(bytes + 16, m->offset);
    if (extended) {
        store_be64(bytes + 24, m->len);
        return WIRE_EXTENDED_REQUEST_SIZE;
    }
    store_be32(bytes + 24, (uint32_t)m->len);
    return WIRE_REQUEST_SIZE;
}

size_t
wire_filter_size(size_t nr_ids)
{
    return 8 + 4 * nr_ids;
}

void
wire_encode_filter(uint8_t *bytes, uint64_t effect_len, const uint32_t *ids,
                   size_t nr_ids)
{
    store_be64(bytes, effect_len);
    for (size_t i = 0; i < nr_ids; i++)
        store_be32(bytes + 8 + 4 * i, ids[i]);
}
