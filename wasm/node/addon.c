/* SPDX-License-Identifier: MIT */
/* addon.c: the module tern.node: its exports, its state in each environment, and small parts. */
#include "addon.h"

#include <stdlib.h>
#include <string.h>

/* ---- Arguments ------------------------------------------------------------------ */

bool addon_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *arguments)
{
    size_t given = count;
    if (napi_get_cb_info(env, info, &given, arguments, NULL, NULL) == napi_ok && given == count) return true;
    napi_throw_type_error(env, NULL, "wrong number of arguments");
    return false;
}

bool addon_double(napi_env env, napi_value value, double *number)
{
    if (napi_get_value_double(env, value, number) == napi_ok) return true;
    napi_throw_type_error(env, NULL, "a number is needed");
    return false;
}

bool addon_u32(napi_env env, napi_value value, uint32_t *number)
{
    if (napi_get_value_uint32(env, value, number) == napi_ok) return true;
    napi_throw_type_error(env, NULL, "a whole number is needed");
    return false;
}

bool addon_pointer(napi_env env, napi_value value, void **pointer)
{
    if (napi_get_value_external(env, value, pointer) == napi_ok) return true;
    napi_throw_type_error(env, NULL, "a handle of this module is needed");
    return false;
}

bool addon_bytes(napi_env env, napi_value value, unsigned char **bytes, size_t *length)
{
    napi_typedarray_type type;
    void *data = NULL;
    if (napi_get_typedarray_info(env, value, &type, length, &data, NULL, NULL) == napi_ok && type == napi_uint8_array) {
        *bytes = (unsigned char *)data;
        return true;
    }
    napi_throw_type_error(env, NULL, "a Uint8Array is needed");
    return false;
}

uint64_t addon_timeout_ns(double milliseconds)
{
    /* a number that is none, or longer than some 290 years: for ever */
    return milliseconds >= 0 && milliseconds < 9e12 ? (uint64_t)(milliseconds * 1e6) : TERN_WAIT_FOREVER;
}

/* ---- Results -------------------------------------------------------------------- */

napi_value addon_number(napi_env env, double number)
{
    napi_value value = NULL;
    (void)napi_create_double(env, number, &value);
    return value;
}

napi_value addon_text(napi_env env, const char *text)
{
    napi_value value = NULL;
    (void)napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
    return value;
}

void addon_set(napi_env env, napi_value object, const char *name, napi_value value)
{
    (void)napi_set_named_property(env, object, name, value);
}

void addon_set_number(napi_env env, napi_value object, const char *name, double number)
{
    addon_set(env, object, name, addon_number(env, number));
}

napi_value addon_recovery(napi_env env, const tern_recovery *report)
{
    static const char *const outcomes[] = { "clean", "repaired", "refused" };
    napi_value object = NULL;
    (void)napi_create_object(env, &object);
    addon_set(env, object, "outcome", addon_text(env, outcomes[report->outcome <= 2 ? report->outcome : 2]));
    addon_set(env, object, "why", addon_text(env, tern_status_name(report->why)));
    addon_set_number(env, object, "peers", report->peers);
    addon_set_number(env, object, "roles", report->roles);
    addon_set_number(env, object, "items", report->items);
    addon_set_number(env, object, "pins", report->pins);
    addon_set_number(env, object, "slots", report->slots);
    addon_set_number(env, object, "names", report->names);
    return object;
}

/* systemError(): text of errno as the last failure left it; empty: it was no system call's. */
static napi_value addon_system_error(napi_env env, napi_callback_info info)
{
    (void)info;
    void *addon = NULL;
    (void)napi_get_instance_data(env, &addon);
    int error = addon ? ((struct addon *)addon)->last_errno : 0;
    return addon_text(env, error ? strerror(error) : "");
}

/* guard(on): tern_shm_guard(). */
static napi_value addon_guard(napi_env env, napi_callback_info info)
{
    napi_value argument;
    bool on;
    if (!addon_arguments(env, info, 1, &argument)) return NULL;
    if (napi_get_value_bool(env, argument, &on) != napi_ok) {
        napi_throw_type_error(env, NULL, "true or false is needed");
        return NULL;
    }
    return addon_number(env, tern_shm_guard(on));
}

/* ---- Life of an environment ------------------------------------------------------ */

void addon_release(struct addon *addon)
{
    if (--addon->references > 0) return;
    pthread_cond_destroy(&addon->work);
    pthread_mutex_destroy(&addon->lock);
    free(addon);
}

/* The environment is about to end, and no JavaScript runs any more: a worker was ended, or the process ends by
 * itself. Its regions are left in order; finalizers find them closed. */
static void addon_end_environment(void *data)
{
    struct addon *addon = (struct addon *)data;
    addon_waits_stop(addon);
    for (struct addon_region *region = addon->regions; region; region = region->next) {
        region->closing = true;
        region->waits = 0;
        addon_region_unmap(region);
    }
}

static void addon_finalize(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)hint;
    addon_release((struct addon *)data);
}

static bool addon_begin_environment(napi_env env)
{
    struct addon *addon = (struct addon *)calloc(1, sizeof *addon);
    if (!addon) return false;
    addon->references = 1;
    pthread_mutex_init(&addon->lock, NULL);
    pthread_cond_init(&addon->work, NULL);
    /* the hook after the thread-safe function, so that it is called before that function's own */
    if (addon_waits_begin(env, addon) && napi_add_env_cleanup_hook(env, addon_end_environment, addon) == napi_ok
        && napi_set_instance_data(env, addon, addon_finalize, NULL) == napi_ok)
        return true;
    addon_release(addon);
    return false;
}

static const struct {
    const char *name;
    napi_callback call;
} addon_exports[] = {
    { "systemError", addon_system_error },
    { "guard", addon_guard },
    { "open", addon_open },
    { "describe", addon_describe },
    { "objects", addon_objects },
    { "peers", addon_peers },
    { "recover", addon_recover },
    { "check", addon_check },
    { "close", addon_close },
    { "unlink", addon_unlink },
    { "waitWord", addon_wait_word },
    { "wakeWord", addon_wake_word },
    { "waitEnd", addon_wait_end },
    { "openEnd", addon_end_open },
    { "describeEnd", addon_end_describe },
    { "endStatus", addon_end_status },
    { "closeEnd", addon_end_close },
    { "detachEnd", addon_end_give_back },
    { "push", addon_push },
    { "pop", addon_pop },
    { "back", addon_back },
    { "publish", addon_publish },
    { "update", addon_update },
    { "front", addon_front },
    { "frame", addon_frame },
    { "dropped", addon_dropped },
};

/* the header's macro defines it without a prototype */
#if defined(NODE_API_MODULE_GET_API_VERSION)
NAPI_MODULE_EXPORT int32_t NODE_API_MODULE_GET_API_VERSION(void);
#endif

NAPI_MODULE_INIT()
{
    if (!addon_begin_environment(env)) {
        napi_throw_error(env, NULL, "tern.node: no memory, or the environment is ending");
        return NULL;
    }
    for (size_t i = 0; i < sizeof addon_exports / sizeof addon_exports[0]; i++) {
        napi_value function;
        if (napi_create_function(env, addon_exports[i].name, NAPI_AUTO_LENGTH, addon_exports[i].call, NULL, &function)
            != napi_ok)
            return NULL;
        addon_set(env, exports, addon_exports[i].name, function);
    }
    addon_set(env, exports, "version", addon_text(env, TERN_VERSION_STRING));
    addon_set_number(env, exports, "layoutHash", tern_layout_hash());
    return exports;
}
