/* SPDX-License-Identifier: MIT */
/* regions.c: mappings of regions and how long they stay: until close(), or until the ArrayBuffer over them
 * and every end in them is garbage. After close() no JavaScript reaches the memory, since the ArrayBuffer is
 * detached at once; the mapping itself stays until the last thread has come back from sleeping in it. */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Life ------------------------------------------------------------------------ */

void addon_region_unmap(struct addon_region *region)
{
    if (!region->memory) return;
    for (struct addon_end *end = region->ends; end; end = end->next) addon_end_detach(end);
    if (region->looking_bytes) {
        tern_region_detach(&region->view);
        munmap(region->memory, region->looking_bytes);
    } else {
        tern_shm_close(&region->view);
    }
    region->memory = NULL;
}

void addon_region_release(struct addon_region *region)
{
    if (--region->references > 0) return;
    addon_region_unmap(region);
    for (struct addon_region **at = &region->addon->regions; *at; at = &(*at)->next) {
        if (*at != region) continue;
        *at = region->next;
        break;
    }
    addon_release(region->addon);
    free(region);
}

void addon_region_settle(napi_env env, struct addon_region *region)
{
    if (!region->closing || region->waits > 0) return;
    /* moved: who has the memory now looks at it until he is garbage too, but the ends are free */
    if (!region->moved || !region->has_buffer) addon_region_unmap(region);
    else for (struct addon_end *end = region->ends; end; end = end->next) addon_end_detach(end);
    if (env && region->closed) {
        napi_value undefined;
        napi_deferred closed = region->closed;
        region->closed = NULL;
        if (napi_get_undefined(env, &undefined) == napi_ok) (void)napi_resolve_deferred(env, closed, undefined);
    }
}

static void region_handle_is_garbage(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)hint;
    addon_region_release((struct addon_region *)data);
}

static void region_buffer_is_garbage(napi_env env, void *data, void *hint)
{
    (void)data;
    struct addon_region *region = (struct addon_region *)hint;
    region->has_buffer = false;
    if (region->buffer && !region->addon->stopping) (void)napi_delete_reference(env, region->buffer);
    region->buffer = NULL;
    addon_region_settle(NULL, region);   /* no promise is told here: this may come in the middle of a collection */
    addon_region_release(region);
}

/* The region of a handle, open; NULL: an exception, or *status says why not. */
static struct addon_region *region_of(napi_env env, napi_value handle, tern_status *status)
{
    void *pointer;
    *status = TERN_OK;
    if (!addon_pointer(env, handle, &pointer)) return NULL;
    struct addon_region *region = (struct addon_region *)pointer;
    if (!region->closing && region->memory) return region;
    *status = TERN_ERR_STATE;
    return NULL;
}

/* ---- Open ------------------------------------------------------------------------- */

/* Map to look at: what this process writes to the copy stays its own, and nothing of it is a peer. */
static tern_status region_look(struct addon_region *region, const char *name)
{
    char path[TERN_SHM_NAME_MAX + 32];
    struct stat file;
    tern_status status = tern_shm_path(name, path, sizeof path);
    if (status != TERN_OK) return status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return errno == ENOENT ? TERN_ERR_NOT_FOUND : errno == EACCES ? TERN_ERR_ACCESS : TERN_ERR_SYSTEM;
    void *memory = MAP_FAILED;
    status = fstat(fd, &file) != 0 ? TERN_ERR_SYSTEM
        : !S_ISREG(file.st_mode) ? TERN_ERR_CORRUPT : file.st_size <= 0 ? TERN_ERR_MEMORY : TERN_OK;
    size_t size_bytes = status == TERN_OK ? (size_t)file.st_size : 0;
    if (status == TERN_OK) {
        memory = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
        if (memory == MAP_FAILED) status = TERN_ERR_SYSTEM;
    }
    int kept = errno;
    close(fd);
    errno = kept;
    if (status != TERN_OK) return status;
    status = tern_region_look(&region->view, memory, size_bytes);
    if (status != TERN_OK) {
        munmap(memory, size_bytes);
        return status;
    }
    region->memory = (unsigned char *)memory;
    region->looking_bytes = size_bytes;
    return TERN_OK;
}

enum { REGION_JOIN = 0, REGION_CREATE = 1, REGION_LOOK = 2 };

static tern_status region_open(struct addon_region *region, const char *name, uint32_t way, double size_bytes,
                               const tern_region_desc *desc)
{
    const tern_attach_desc attach = { desc->session, desc->domain };
    tern_status status = TERN_ERR_ARGUMENT;
    if (way == REGION_LOOK) return region_look(region, name);
    if (way == REGION_JOIN) status = tern_shm_open(&region->view, name, &attach);
    else if (size_bytes > 0 && size_bytes < 9e15)
        status = tern_shm_create(&region->view, name, (size_t)size_bytes, desc);
    if (status == TERN_OK) region->memory = (unsigned char *)(void *)region->view.shared;
    return status;
}

/* The ArrayBuffer over all of the region. */
static tern_status region_make_buffer(napi_env env, struct addon_region *region)
{
    napi_value buffer;
    napi_status made = napi_create_external_arraybuffer(env, region->memory, (size_t)region->view.size_bytes,
                                                        region_buffer_is_garbage, region, &buffer);
    if (made != napi_ok) {
        /* too large for this Node: an exception may be on its way, and the status says more */
        napi_value ignored;
        (void)napi_get_and_clear_last_exception(env, &ignored);
        return TERN_ERR_UNSUPPORTED;
    }
    region->has_buffer = true;
    region->references++;
    return napi_create_reference(env, buffer, 0, &region->buffer) == napi_ok ? TERN_OK : TERN_ERR_NO_SPACE;
}

/* open(name, way, sizeBytes, session, domain, maxObjects, maxPeers): [handle, buffer], or a status. The session
 * is a BigInt. */
napi_value addon_open(napi_env env, napi_callback_info info)
{
    napi_value arguments[7], pair = NULL, handle, buffer;
    char name[TERN_SHM_NAME_MAX + 2];
    size_t length;
    uint32_t way;
    double size_bytes;
    bool lossless = false;
    tern_region_desc desc = { 0, 0, 0, 0 };
    void *instance = NULL;
    if (!addon_arguments(env, info, 7, arguments) || !addon_u32(env, arguments[1], &way)
        || !addon_double(env, arguments[2], &size_bytes) || !addon_u32(env, arguments[4], &desc.domain)
        || !addon_u32(env, arguments[5], &desc.max_objects) || !addon_u32(env, arguments[6], &desc.max_peers))
        return NULL;
    if (napi_get_value_string_utf8(env, arguments[0], name, sizeof name, &length) != napi_ok
        || napi_get_value_bigint_uint64(env, arguments[3], &desc.session, &lossless) != napi_ok || !lossless)
        return addon_number(env, TERN_ERR_ARGUMENT);
    if (napi_get_instance_data(env, &instance) != napi_ok || !instance) return NULL;

    struct addon *addon = (struct addon *)instance;
    struct addon_region *region = (struct addon_region *)calloc(1, sizeof *region);
    if (!region) return addon_number(env, TERN_ERR_NO_SPACE);
    region->addon = addon;
    region->references = 1;
    region->next = addon->regions;
    addon->regions = region;
    addon->references++;

    errno = 0;
    tern_status status = region_open(region, name, way, size_bytes, &desc);
    addon->last_errno = errno;
    if (status == TERN_OK) status = region_make_buffer(env, region);
    if (status == TERN_OK
        && (napi_create_external(env, region, region_handle_is_garbage, NULL, &handle) != napi_ok))
        status = TERN_ERR_NO_SPACE;
    if (status != TERN_OK) {
        if (way == REGION_CREATE && region->memory) tern_shm_unlink(name);
        addon_region_release(region);
        return addon_number(env, status);
    }
    if (napi_get_reference_value(env, region->buffer, &buffer) != napi_ok
        || napi_create_array_with_length(env, 2, &pair) != napi_ok)
        return NULL;
    (void)napi_set_element(env, pair, 0, handle);
    (void)napi_set_element(env, pair, 1, buffer);
    return pair;
}

/* close(handle): a promise, fulfilled when the memory is unmapped and the peer has left. */
napi_value addon_close(napi_env env, napi_callback_info info)
{
    napi_value argument, promise = NULL, buffer = NULL;
    void *pointer;
    bool detached = false;
    if (!addon_arguments(env, info, 1, &argument) || !addon_pointer(env, argument, &pointer)) return NULL;
    struct addon_region *region = (struct addon_region *)pointer;
    if (region->closing) return addon_number(env, TERN_ERR_STATE);
    if (napi_create_promise(env, &region->closed, &promise) != napi_ok) return NULL;
    region->closing = true;
    if (napi_get_reference_value(env, region->buffer, &buffer) == napi_ok && buffer) {
        /* detached already, and not by us: its memory went into another ArrayBuffer */
        if (napi_is_detached_arraybuffer(env, buffer, &detached) != napi_ok || detached
            || napi_detach_arraybuffer(env, buffer) != napi_ok)
            region->moved = true;
    }
    (void)napi_delete_reference(env, region->buffer);
    region->buffer = NULL;
    addon_waits_cancel(env, region);
    addon_region_settle(env, region);
    return promise;
}

/* unlink(name): a status. */
napi_value addon_unlink(napi_env env, napi_callback_info info)
{
    napi_value argument;
    char name[TERN_SHM_NAME_MAX + 2];
    size_t length;
    void *addon = NULL;
    if (!addon_arguments(env, info, 1, &argument)) return NULL;
    if (napi_get_value_string_utf8(env, argument, name, sizeof name, &length) != napi_ok)
        return addon_number(env, TERN_ERR_ARGUMENT);
    errno = 0;
    tern_status status = tern_shm_unlink(name);
    if (napi_get_instance_data(env, &addon) == napi_ok && addon) ((struct addon *)addon)->last_errno = errno;
    return addon_number(env, status);
}

/* ---- Look -------------------------------------------------------------------------- */

/* describe(handle): what a region is, and whom the open buried. */
napi_value addon_describe(napi_env env, napi_callback_info info)
{
    napi_value argument, object = NULL;
    tern_status status;
    if (!addon_arguments(env, info, 1, &argument)) return NULL;
    const struct addon_region *region = region_of(env, argument, &status);
    if (!region) return status == TERN_OK ? NULL : addon_number(env, status);
    if (napi_create_object(env, &object) != napi_ok) return NULL;
    addon_set_number(env, object, "sizeBytes", (double)region->view.size_bytes);
    addon_set_number(env, object, "peer", region->view.peer);
    addon_set_number(env, object, "maxObjects", region->view.max_objects);
    addon_set_number(env, object, "maxPeers", region->view.max_peers);
    addon_set(env, object, "recovery", addon_recovery(env, &region->view.recovery));
    return object;
}

/* objects(handle): each name that was ever added, in that order. */
napi_value addon_objects(napi_env env, napi_callback_info info)
{
    napi_value argument, list = NULL, entry;
    tern_status status;
    tern_object object;
    uint64_t cursor = 0;
    if (!addon_arguments(env, info, 1, &argument)) return NULL;
    const struct addon_region *region = region_of(env, argument, &status);
    if (!region) return status == TERN_OK ? NULL : addon_number(env, status);
    if (napi_create_array(env, &list) != napi_ok) return NULL;
    for (uint32_t i = 0; tern_region_next(&region->view, &cursor, &object); i++) {
        if (napi_create_object(env, &entry) != napi_ok) return NULL;
        addon_set(env, entry, "name", addon_text(env, object.name));
        addon_set_number(env, entry, "type", object.type);
        addon_set_number(env, entry, "offset", (double)object.offset_bytes);
        addon_set_number(env, entry, "sizeBytes", (double)object.size_bytes);
        addon_set(env, entry, "status", addon_text(env, tern_status_name(object.status)));
        (void)napi_set_element(env, list, i, entry);
    }
    return list;
}

/* peers(handle): who is attached, or died and is not buried. */
napi_value addon_peers(napi_env env, napi_callback_info info)
{
    napi_value argument, list = NULL, entry, alive;
    tern_status status;
    tern_peer_info peer;
    uint32_t cursor = 0;
    if (!addon_arguments(env, info, 1, &argument)) return NULL;
    const struct addon_region *region = region_of(env, argument, &status);
    if (!region) return status == TERN_OK ? NULL : addon_number(env, status);
    if (napi_create_array(env, &list) != napi_ok) return NULL;
    for (uint32_t i = 0; tern_peer_next(&region->view, &cursor, &peer); i++) {
        if (napi_create_object(env, &entry) != napi_ok || napi_get_boolean(env, peer.is_alive, &alive) != napi_ok)
            return NULL;
        addon_set_number(env, entry, "peer", peer.peer);
        addon_set_number(env, entry, "process", peer.process);
        addon_set_number(env, entry, "domain", peer.domain);
        addon_set(env, entry, "isAlive", alive);
        addon_set(env, entry, "program", addon_text(env, peer.program));
        (void)napi_set_element(env, list, i, entry);
    }
    return list;
}

/* recover(handle): tern_peer_recover()'s report, or a status. */
napi_value addon_recover(napi_env env, napi_callback_info info)
{
    napi_value argument;
    tern_status status;
    tern_recovery report;
    if (!addon_arguments(env, info, 1, &argument)) return NULL;
    struct addon_region *region = region_of(env, argument, &status);
    if (region) status = tern_peer_recover(&region->view, &report);
    if (status != TERN_OK) return addon_number(env, status);
    return region ? addon_recovery(env, &report) : NULL;
}

/* check(handle): tern_shm_status(). */
napi_value addon_check(napi_env env, napi_callback_info info)
{
    napi_value argument;
    tern_status status;
    if (!addon_arguments(env, info, 1, &argument)) return NULL;
    const struct addon_region *region = region_of(env, argument, &status);
    if (!region && status == TERN_OK) return NULL;
    return addon_number(env, region ? tern_shm_status(&region->view) : status);
}
