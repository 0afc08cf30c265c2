/* SPDX-License-Identifier: MIT */
/* base.c: texts of the status codes, and the check that guards headers. */
#include "internal.h"

#define TERN__STATUSES(X) \
    X(TERN_OK, "success") \
    X(TERN_DEFERRED, "done, takes effect later") \
    X(TERN_ERR_ARGUMENT, "a parameter is out of its documented range") \
    X(TERN_ERR_ALIGNMENT, "memory is not aligned to 64 bytes") \
    X(TERN_ERR_MEMORY, "memory or file is smaller than the object needs (too short or truncated)") \
    X(TERN_ERR_NOT_READY, "still being formatted by another thread or process; try again") \
    X(TERN_ERR_VERSION, "made by another layout version of Tern; rebuild both programs with the same one") \
    X(TERN_ERR_CORRUPT, "not a valid Tern object, or its bytes were damaged") \
    X(TERN_ERR_MISMATCH, "it exists with another type, item size, capacity or flags") \
    X(TERN_ERR_STATE, "the call does not fit the state of the object") \
    X(TERN_ERR_CLOSED, "the other side has closed") \
    X(TERN_ERR_TIMEOUT, "the time given has passed") \
    X(TERN_ERR_UNSUPPORTED, "not supported by this build, platform or object") \
    X(TERN_ERR_EXISTS, "the name exists already") \
    X(TERN_ERR_NOT_FOUND, "no such name") \
    X(TERN_ERR_FULL, "no room left in the region or its directory") \
    X(TERN_ERR_NO_SPACE, "no shared memory left on this system (is /dev/shm full?)") \
    X(TERN_ERR_ACCESS, "permission denied, or a descriptor that is not sealed against shrinking") \
    X(TERN_ERR_BUSY, "the role is held by a live peer") \
    X(TERN_ERR_STALE, "the handle is stale") \
    X(TERN_ERR_PEER_DEAD, "the peer has died") \
    X(TERN_ERR_SESSION, "the region belongs to another session") \
    X(TERN_ERR_DOMAIN, "not allowed in this domain") \
    X(TERN_ERR_SYSTEM, "a system call failed; errno says why")

const char *tern_status_text(tern_status status)
{
    switch (status) {
#define X(code, text) case code: return text;
        TERN__STATUSES(X)
#undef X
    }
    return "unknown status";
}

const char *tern_status_name(tern_status status)
{
    switch (status) {
#define X(code, text) case code: return #code;
        TERN__STATUSES(X)
#undef X
    }
    return "TERN_ERR_UNKNOWN";
}

/* FNV-1a, 32 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
uint32_t tern__hash(uint32_t hash, const void *bytes, size_t size_bytes)
{
    const unsigned char *at = (const unsigned char *)bytes;
    for (size_t i = 0; i < size_bytes; i++) hash = (hash ^ at[i]) * 16777619u;
    return hash;
}

uint32_t tern__geometry_check(const void *geometry, size_t size_bytes)
{
    return tern__hash(TERN__HASH_START, geometry, size_bytes - sizeof(uint32_t));
}

tern_status tern__copy_geometry(void *geometry, const void *shared, size_t size_bytes)
{
    uint32_t version, check;
    tern_copy_from_shared(geometry, shared, size_bytes);
    tern__memcpy(&version, geometry, sizeof version);
    tern__memcpy(&check, (unsigned char *)geometry + size_bytes - sizeof check, sizeof check);
    if (version != TERN_LAYOUT_VERSION) return TERN_ERR_VERSION;
    return check == tern__geometry_check(geometry, size_bytes) ? TERN_OK : TERN_ERR_CORRUPT;
}
