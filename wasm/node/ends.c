/* SPDX-License-Identifier: MIT */
/* ends.c: ends of rings and triple buffers. Numbers go back to ends.mjs: 0 or more is the call's answer, a
 * negative one is a status. While a thread waits with an end, its other calls answer TERN_ERR_STATE. */
#include "addon.h"

#include <stdlib.h>
#include <string.h>

/* ---- Life -------------------------------------------------------------------------- */

void addon_end_detach(struct addon_end *end)
{
    if (!end->attached) return;
    end->attached = false;
    switch (end->kind) {
    case ADDON_RING_PRODUCER: tern_ring_detach_producer(&end->as.producer); break;
    case ADDON_RING_CONSUMER: tern_ring_detach_consumer(&end->as.consumer); break;
    case ADDON_TRIPLE_WRITER: tern_triple_detach_writer(&end->as.writer); break;
    default: tern_triple_detach_reader(&end->as.reader); break;
    }
}

void addon_end_release(struct addon_end *end)
{
    if (--end->references > 0) return;
    struct addon_region *region = end->region;
    if (region->memory) addon_end_detach(end);
    for (struct addon_end **at = &region->ends; *at; at = &(*at)->next) {
        if (*at != end) continue;
        *at = end->next;
        break;
    }
    free(end);
    addon_region_release(region);
}

static void end_handle_is_garbage(napi_env env, void *data, void *hint)
{
    (void)env;
    (void)hint;
    addon_end_release((struct addon_end *)data);
}

/* A thread that only waits for somebody sleeps at once: its answer has a longer way than a wake anyhow. And it may,
 * whatever the domain: it is not the thread that must not block. */
static tern_status end_attach(struct addon_end *end, const char *name, const tern_ring_desc *ring)
{
    tern_region *region = &end->region->view;
    const tern_triple_desc frame = { ring->item_size_bytes };
    const tern_triple_desc *triple = ring->item_size_bytes ? &frame : NULL;
    tern_status status;
    if (ring->item_size_bytes == 0) ring = NULL;
    switch (end->kind) {
    case ADDON_RING_PRODUCER:
        status = tern_ring_open_producer(&end->as.producer, region, name, ring);
        end->as.producer.spin_checks = 0;
        end->as.producer.may_block = true;
        return status;
    case ADDON_RING_CONSUMER:
        status = tern_ring_open_consumer(&end->as.consumer, region, name, ring);
        end->as.consumer.spin_checks = 0;
        end->as.consumer.may_block = true;
        return status;
    case ADDON_TRIPLE_WRITER:
        return tern_triple_open_writer(&end->as.writer, region, name, triple);
    case ADDON_TRIPLE_READER:
        status = tern_triple_open_reader(&end->as.reader, region, name, triple);
        end->as.reader.spin_checks = 0;
        end->as.reader.may_block = true;
        return status;
    default:
        return TERN_ERR_ARGUMENT;
    }
}

/* openEnd(region, kind, name, itemSizeBytes, capacityItems, flags): a handle, or a status. A size of 0: whatever
 * is there. */
napi_value addon_end_open(napi_env env, napi_callback_info info)
{
    napi_value arguments[6], handle = NULL;
    char name[TERN_NAME_BYTES + 2];
    size_t length;
    uint32_t kind;
    void *pointer;
    tern_ring_desc desc = { 0, 0, 0 };
    if (!addon_arguments(env, info, 6, arguments) || !addon_pointer(env, arguments[0], &pointer)
        || !addon_u32(env, arguments[1], &kind) || !addon_u32(env, arguments[3], &desc.item_size_bytes)
        || !addon_u32(env, arguments[4], &desc.capacity_items) || !addon_u32(env, arguments[5], &desc.flags))
        return NULL;
    struct addon_region *region = (struct addon_region *)pointer;
    if (region->closing || !region->memory) return addon_number(env, TERN_ERR_STATE);
    if (napi_get_value_string_utf8(env, arguments[2], name, sizeof name, &length) != napi_ok)
        return addon_number(env, TERN_ERR_ARGUMENT);

    struct addon_end *end = (struct addon_end *)calloc(1, sizeof *end);
    if (!end) return addon_number(env, TERN_ERR_NO_SPACE);
    end->region = region;
    end->kind = kind;
    end->references = 1;
    tern_status status = end_attach(end, name, &desc);
    if (status != TERN_OK) {
        free(end);
        return addon_number(env, status);
    }
    end->attached = true;
    end->next = region->ends;
    region->ends = end;
    region->references++;
    if (napi_create_external(env, end, end_handle_is_garbage, NULL, &handle) != napi_ok) {
        addon_end_release(end);
        return addon_number(env, TERN_ERR_NO_SPACE);
    }
    return handle;
}

/* The end of a call's first argument, if the call may use it now; or NULL with what to return. */
static struct addon_end *end_of(napi_env env, napi_value handle, napi_value *answer)
{
    void *pointer;
    *answer = NULL;
    if (!addon_pointer(env, handle, &pointer)) return NULL;
    struct addon_end *end = (struct addon_end *)pointer;
    if (end->attached && !end->waiting && !end->region->closing) return end;
    *answer = addon_number(env, TERN_ERR_STATE);
    return NULL;
}

static struct addon_end *end_of_kind(napi_env env, napi_value handle, uint32_t kind, napi_value *answer)
{
    struct addon_end *end = end_of(env, handle, answer);
    if (!end || end->kind == kind) return end;
    *answer = addon_number(env, TERN_ERR_MISMATCH);
    return NULL;
}

static struct addon_end *end_argument(napi_env env, napi_callback_info info, uint32_t kind, napi_value *answer)
{
    napi_value handle;
    *answer = NULL;
    return addon_arguments(env, info, 1, &handle) ? end_of_kind(env, handle, kind, answer) : NULL;
}

/* detachEnd(end): a status. */
napi_value addon_end_give_back(napi_env env, napi_callback_info info)
{
    napi_value handle, answer;
    if (!addon_arguments(env, info, 1, &handle)) return NULL;
    struct addon_end *end = end_of(env, handle, &answer);
    if (!end) return answer;
    addon_end_detach(end);
    return addon_number(env, TERN_OK);
}

/* ---- Of every kind ------------------------------------------------------------------- */

static tern_status end_status(struct addon_end *end)
{
    switch (end->kind) {
    case ADDON_RING_PRODUCER: return tern_ring_producer_status(&end->as.producer);
    case ADDON_RING_CONSUMER: return tern_ring_consumer_status(&end->as.consumer);
    case ADDON_TRIPLE_WRITER: return tern_triple_writer_status(&end->as.writer);
    default: return tern_triple_reader_status(&end->as.reader);
    }
}

/* endStatus(end): a status. */
napi_value addon_end_status(napi_env env, napi_callback_info info)
{
    napi_value handle, answer;
    if (!addon_arguments(env, info, 1, &handle)) return NULL;
    struct addon_end *end = end_of(env, handle, &answer);
    return end ? addon_number(env, end_status(end)) : answer;
}

/* closeEnd(end): say that nothing more comes, for ever; the end stays ours. A status. */
napi_value addon_end_close(napi_env env, napi_callback_info info)
{
    napi_value handle, answer;
    if (!addon_arguments(env, info, 1, &handle)) return NULL;
    struct addon_end *end = end_of(env, handle, &answer);
    if (!end) return answer;
    switch (end->kind) {
    case ADDON_RING_PRODUCER: tern_ring_close_producer(&end->as.producer); break;
    case ADDON_RING_CONSUMER: tern_ring_close_consumer(&end->as.consumer); break;
    case ADDON_TRIPLE_WRITER: tern_triple_close_writer(&end->as.writer); break;
    default: tern_triple_close_reader(&end->as.reader); break;
    }
    return addon_number(env, TERN_OK);
}

/* describeEnd(end): { sizeBytes: of an item or a frame, capacity, waitable, recovery }, or a status. */
napi_value addon_end_describe(napi_env env, napi_callback_info info)
{
    napi_value handle, answer, object = NULL, waitable;
    uint32_t size_bytes, capacity = 3;
    bool may_wait = true;
    const tern_recovery *recovery;
    if (!addon_arguments(env, info, 1, &handle)) return NULL;
    const struct addon_end *end = end_of(env, handle, &answer);
    if (!end) return answer;
    switch (end->kind) {
    case ADDON_RING_PRODUCER:
        size_bytes = end->as.producer.item_size_bytes;
        capacity = end->as.producer.capacity_items;
        may_wait = end->as.producer.waitable;
        recovery = &end->as.producer.recovery;
        break;
    case ADDON_RING_CONSUMER:
        size_bytes = end->as.consumer.item_size_bytes;
        capacity = end->as.consumer.capacity_items;
        may_wait = end->as.consumer.waitable;
        recovery = &end->as.consumer.recovery;
        break;
    case ADDON_TRIPLE_WRITER:
        size_bytes = end->as.writer.buffer_size_bytes;
        recovery = &end->as.writer.recovery;
        break;
    default:
        size_bytes = end->as.reader.buffer_size_bytes;
        recovery = &end->as.reader.recovery;
        break;
    }
    if (napi_create_object(env, &object) != napi_ok || napi_get_boolean(env, may_wait, &waitable) != napi_ok)
        return NULL;
    addon_set_number(env, object, "sizeBytes", size_bytes);
    addon_set_number(env, object, "capacity", capacity);
    addon_set(env, object, "waitable", waitable);
    addon_set(env, object, "recovery", addon_recovery(env, recovery));
    return object;
}

/* ---- Rings ------------------------------------------------------------------------------ */

/* Whole items in a Uint8Array; 0: none, or not whole. */
static uint32_t end_items(size_t length, uint32_t size_bytes)
{
    size_t count = length / size_bytes;
    return count * size_bytes == length && count <= TERN_RING_MAX_CAPACITY_ITEMS ? (uint32_t)count : 0;
}

/* push(end, items): how many went in, or a status. */
napi_value addon_push(napi_env env, napi_callback_info info)
{
    napi_value arguments[2], answer;
    unsigned char *bytes;
    size_t length;
    if (!addon_arguments(env, info, 2, arguments)) return NULL;
    struct addon_end *end = end_of_kind(env, arguments[0], ADDON_RING_PRODUCER, &answer);
    if (!end) return answer;
    if (!addon_bytes(env, arguments[1], &bytes, &length)) return NULL;
    uint32_t count = end_items(length, end->as.producer.item_size_bytes);
    if (count == 0) return addon_number(env, TERN_ERR_ARGUMENT);
    if (count > 1) return addon_number(env, tern_ring_push_many(&end->as.producer, bytes, count));
    return addon_number(env, tern_ring_push(&end->as.producer, bytes));
}

/* pop(end, items): how many came out, or a status. */
napi_value addon_pop(napi_env env, napi_callback_info info)
{
    napi_value arguments[2], answer;
    unsigned char *bytes;
    size_t length;
    if (!addon_arguments(env, info, 2, arguments)) return NULL;
    struct addon_end *end = end_of_kind(env, arguments[0], ADDON_RING_CONSUMER, &answer);
    if (!end) return answer;
    if (!addon_bytes(env, arguments[1], &bytes, &length)) return NULL;
    uint32_t count = end_items(length, end->as.consumer.item_size_bytes);
    if (count == 0) return addon_number(env, TERN_ERR_ARGUMENT);
    if (count > 1) return addon_number(env, tern_ring_pop_many(&end->as.consumer, bytes, count));
    return addon_number(env, tern_ring_pop(&end->as.consumer, bytes));
}

/* ---- Triple buffers ------------------------------------------------------------------------ */

/* Where a pointer into a region is, from its start; NULL: 0, where no frame can be. */
static napi_value end_offset(napi_env env, const struct addon_end *end, const void *pointer)
{
    return addon_number(env, pointer ? (double)((const unsigned char *)pointer - end->region->memory) : 0);
}

/* back(writer): offset of the buffer to write to, or a status. */
napi_value addon_back(napi_env env, napi_callback_info info)
{
    napi_value answer;
    struct addon_end *end = end_argument(env, info, ADDON_TRIPLE_WRITER, &answer);
    return end ? end_offset(env, end, tern_triple_back(&end->as.writer)) : answer;
}

/* publish(writer): 1: the frame before was never read; 0: it was; or a status. */
napi_value addon_publish(napi_env env, napi_callback_info info)
{
    napi_value answer;
    struct addon_end *end = end_argument(env, info, ADDON_TRIPLE_WRITER, &answer);
    if (!end) return answer;
    uint64_t before = end->as.writer.frame;
    bool was_unread = tern_triple_publish(&end->as.writer);
    return addon_number(env, end->as.writer.frame == before ? TERN_ERR_CORRUPT : was_unread);
}

/* update(reader): offset of the newer frame that is now in front; 0: nothing newer; or a status. */
napi_value addon_update(napi_env env, napi_callback_info info)
{
    napi_value answer;
    struct addon_end *end = end_argument(env, info, ADDON_TRIPLE_READER, &answer);
    if (!end) return answer;
    if (tern_triple_update(&end->as.reader)) return end_offset(env, end, tern_triple_front(&end->as.reader));
    tern_status status = tern_triple_reader_status(&end->as.reader);
    return addon_number(env, status == TERN_ERR_CLOSED ? TERN_OK : status);
}

/* front(reader): offset of the frame in front; 0: none. Also while a thread waits, which leaves it there. */
napi_value addon_front(napi_env env, napi_callback_info info)
{
    napi_value handle;
    void *pointer;
    if (!addon_arguments(env, info, 1, &handle) || !addon_pointer(env, handle, &pointer)) return NULL;
    const struct addon_end *end = (const struct addon_end *)pointer;
    if (!end->attached || end->region->closing) return addon_number(env, TERN_ERR_STATE);
    return end_offset(env, end, tern_triple_front(&end->as.reader));
}

/* frame(end): number of the last frame that was published, or of the one in front; also while a thread waits. */
napi_value addon_frame(napi_env env, napi_callback_info info)
{
    napi_value handle;
    void *pointer;
    if (!addon_arguments(env, info, 1, &handle) || !addon_pointer(env, handle, &pointer)) return NULL;
    const struct addon_end *end = (const struct addon_end *)pointer;
    if (!end->attached || end->region->closing) return addon_number(env, TERN_ERR_STATE);
    if (end->kind == ADDON_TRIPLE_WRITER) return addon_number(env, (double)end->as.writer.frame);
    return addon_number(env, (double)tern_triple_frame(&end->as.reader));
}

/* dropped(reader): frames that were never in front, or a status. */
napi_value addon_dropped(napi_env env, napi_callback_info info)
{
    napi_value answer;
    struct addon_end *end = end_argument(env, info, ADDON_TRIPLE_READER, &answer);
    return end ? addon_number(env, (double)tern_triple_dropped(&end->as.reader)) : answer;
}
