/* SPDX-License-Identifier: MIT */
/* victim_ring.c: a ring's producer and consumer under attack, both layouts, with and without waiting. */
#include "hostile.h"
#include "ring_limits.h"

typedef struct ring_state {
    tern_ring_producer p;
    tern_ring_consumer c;
} ring_state;

enum { RING_PRODUCER, RING_CONSUMER };
enum { RING_MOST = 40 };   /* items of a batch; the shapes below hold up to 32 */

static const struct { uint32_t capacity_items, item_size_bytes; } ring_shapes[] = {
    { 8, 8 }, { 16, 8 }, { 1, 8 }, { 2, 64 }, { 4, 64 }, { 32, 64 }, { 8, 1 }, { 4, 3 }, { 16, 24 }, { 2, 100 },
    { 8, 200 },
};

struct ring_line { unsigned char bytes[64]; };
TERN_RING_DEFINE(ring_lines, struct ring_line)   /* a size that the compiler knows: code of its own */

/* ---- The object ------------------------------------------------------------------------------------ */

static bool ring_is_sequenced(const world *w)
{
    return (w->victim->form & TERN_RING_SEQUENCED) != 0;
}

static uint32_t ring_slot_bytes(const world *w)
{
    return ring_is_sequenced(w) ? (uint32_t)tern__ring_sequenced_slot_bytes(w->item_size_bytes) : w->item_size_bytes;
}

/* Whatever a header says: slots of a sequenced ring have 8 bytes at least. */
static uint32_t ring_most_slots(const world *w)
{
    return (w->size_bytes - hostile_items_at(w)) / 8;
}

static void ring_shape(world *w)
{
    w->shape = hostile_below(w, sizeof ring_shapes / sizeof *ring_shapes);
    w->capacity_items = ring_shapes[w->shape].capacity_items;
    w->item_size_bytes = ring_shapes[w->shape].item_size_bytes;
    tern_ring_desc desc = { w->item_size_bytes, w->capacity_items, w->victim->form };
    w->size_bytes = (uint32_t)tern_ring_size(&desc);
}

static void ring_make(world *w)
{
    static const uint32_t starts[] = { 0, 1, 0x3ffffffe, 0x7ffffff0, 0x7fffffff };
    ring_state *s = w->state;
    struct tern_ring_end *ends = hostile_ends(w);
    tern_ring_desc desc = { w->item_size_bytes, w->capacity_items, w->victim->form };
    uint32_t start = starts[hostile_below(w, 5)], slot_bytes = ring_slot_bytes(w);
    if (tern_ring_format(w->memory, w->size_bytes, &desc) != TERN_OK) hostile_fail(w, "format");
    tern_a32_store_relaxed(&ends[0].word, start << 1);
    tern_a32_store_relaxed(&ends[1].word, start << 1);
    for (uint32_t i = start; ring_is_sequenced(w) && i != start + w->capacity_items; i++) {
        unsigned char *slot = tern__ring_slot(w->memory + hostile_items_at(w), i, w->capacity_items, slot_bytes);
        tern_a32_store_relaxed(tern__ring_sequence(slot, slot_bytes), (i + 1 - w->capacity_items) << 1);
    }
    if (tern_ring_attach_producer(&s->p, w->memory, w->size_bytes) != TERN_OK
        || tern_ring_attach_consumer(&s->c, w->memory, w->size_bytes) != TERN_OK) hostile_fail(w, "attach");
    s->p.spin_checks = s->c.spin_checks = hostile_below(w, 4);
    if (hostile_below(w, 2)) tern_ring_consumer_release_every(&s->c, 1);
}

static const char *ring_word(const world *w, uint32_t offset)
{
    uint32_t items = hostile_items_at(w), slot_bytes = ring_slot_bytes(w);
    if (offset < items) return hostile_end_word(w, offset);
    return ring_is_sequenced(w) && (offset - items) % slot_bytes == slot_bytes - 4 ? "sequence" : "data";
}

static uint32_t ring_own(const world *w)
{
    const ring_state *s = w->state;
    return w->victim->role == RING_PRODUCER ? s->p.tail : s->c.head;
}

/* ---- Calls of both ends ------------------------------------------------------------------------------- */

static void ring_inspect(world *w)
{
    tern_ring_info info;
    hostile_mend_header(w);
    hostile_begin(w, &ring_limits[INSPECT], 0);
    tern_status status = tern_ring_inspect(&info, w->memory, w->size_bytes);
    hostile_end(w);
    if (hostile_status(w, status, HOSTILE_ATTACHES) != TERN_OK) return;
    hostile_check(w, info.size_bytes <= w->size_bytes && info.was_count <= info.capacity_items);
    hostile_check(w, (uint64_t)info.capacity_items * info.item_size_bytes < info.size_bytes);
}

/* The view that was attached has another shape: both ends, or neither. The peer's own check goes on as before. */
static bool ring_takes_shape(world *w, const tern_ring_producer *p, const tern_ring_consumer *c)
{
    ring_state *s = w->state;
    uint32_t capacity = p ? p->capacity_items : c->capacity_items, item = p ? p->item_size_bytes : c->item_size_bytes;
    uint32_t capacity_before = w->capacity_items, item_before = w->item_size_bytes;
    if (!hostile_reshaped(w, capacity, item)) return true;
    tern_ring_producer other_p;
    tern_ring_consumer other_c;
    tern_status status = p ? tern_ring_attach_consumer(&other_c, w->memory, w->size_bytes)
                           : tern_ring_attach_producer(&other_p, w->memory, w->size_bytes);
    bool same = status == TERN_OK && capacity == (p ? other_c.capacity_items : other_p.capacity_items)
        && item == (p ? other_c.item_size_bytes : other_p.item_size_bytes);
    if (!same) hostile_reshaped(w, capacity_before, item_before);
    else if (p) s->c = other_c;
    else s->p = other_p;
    return same;
}

/* A header may come to tell of another layout: attached rightly, but another victim's, which has other names. */
static bool ring_is_anothers(const world *w, const struct tern_ring_end *ends, bool sequenced)
{
    return ends != hostile_ends(w) || sequenced != ring_is_sequenced(w);
}

static void ring_attach_producer(world *w)
{
    ring_state *s = w->state;
    tern_ring_producer fresh;
    hostile_mend_header(w);
    hostile_begin(w, &ring_limits[ATTACH_PRODUCER], ring_most_slots(w));
    tern_status status = tern_ring_attach_producer(&fresh, w->memory, w->size_bytes);
    hostile_end(w);
    if (!hostile_attached(w, status, HOSTILE_ATTACHES, &fresh, sizeof fresh)) return;
    hostile_check(w, fresh.items + (uint64_t)fresh.capacity_items * fresh.slot_size_bytes <= w->memory + w->size_bytes);
    if (ring_is_anothers(w, fresh.ends, fresh.sequenced) || !ring_takes_shape(w, &fresh, NULL)) return;
    hostile_begin(w, &ring_limits[DETACH_PRODUCER], 0);
    tern_ring_detach_producer(&s->p);
    hostile_end(w);
    s->p = fresh;
    s->p.spin_checks = hostile_below(w, 4);
}

static void ring_attach_consumer(world *w)
{
    ring_state *s = w->state;
    tern_ring_consumer fresh;
    hostile_mend_header(w);
    hostile_begin(w, &ring_limits[ATTACH_CONSUMER], ring_most_slots(w));
    tern_status status = tern_ring_attach_consumer(&fresh, w->memory, w->size_bytes);
    hostile_end(w);
    if (!hostile_attached(w, status, HOSTILE_ATTACHES, &fresh, sizeof fresh)) return;
    hostile_check(w, fresh.items + (uint64_t)fresh.capacity_items * fresh.slot_size_bytes <= w->memory + w->size_bytes);
    if (ring_is_anothers(w, fresh.ends, fresh.sequenced) || !ring_takes_shape(w, NULL, &fresh)) return;
    hostile_begin(w, &ring_limits[DETACH_CONSUMER], 0);
    tern_ring_detach_consumer(&s->c);
    hostile_end(w);
    s->c = fresh;
    s->c.spin_checks = hostile_below(w, 4);
}

/* ---- The producer ----------------------------------------------------------------------------------------- */

static void ring_push(world *w, bool waits)
{
    ring_state *s = w->state;
    uint64_t timeout_ns = waits ? hostile_timeout(w) : 0;
    uint32_t before = s->p.tail, looks = waits ? hostile_looks(s->p.spin_checks, timeout_ns) : 0;
    const unsigned char *item = hostile_in(w, s->p.item_size_bytes);
    hostile_begin(w, &ring_limits[waits ? PUSH_WAIT : PUSH], looks);
    tern_status status = waits ? tern_ring_push_wait(&s->p, item, timeout_ns) : TERN_OK;
    bool pushed = waits ? status == TERN_OK
                        : s->p.item_size_bytes == 64 ? ring_lines_push(&s->p, (const void *)item)
                        : tern_ring_push(&s->p, item);
    hostile_end(w);
    hostile_status(w, status, s->p.waitable ? HOSTILE_WAITS : HOSTILE_WAITS | HOSTILE_ONE(TERN_ERR_UNSUPPORTED));
    hostile_check(w, s->p.tail - before == (pushed ? 1 : 0));
    w->successes += pushed;
}

static void ring_push_many(world *w, uint32_t count)
{
    ring_state *s = w->state;
    uint32_t before = s->p.tail, n;
    if (count > HOSTILE_BUFFER_BYTES / s->p.item_size_bytes) count = HOSTILE_BUFFER_BYTES / s->p.item_size_bytes;
    const unsigned char *items = hostile_in(w, (size_t)count * s->p.item_size_bytes);
    hostile_begin(w, &ring_limits[PUSH_MANY], s->p.sequenced ? count : s->p.item_size_bytes == 64 ? count : 0);
    if (s->p.item_size_bytes == 64) n = ring_lines_push_many(&s->p, (const void *)items, count);
    else n = tern_ring_push_many(&s->p, items, count);
    hostile_end(w);
    hostile_check(w, n <= count && n <= s->p.capacity_items && s->p.tail - before == n);
    w->successes += n != 0;
}

static void ring_reserve(world *w, uint32_t want)
{
    ring_state *s = w->state;
    uint32_t got;
    hostile_begin(w, &ring_limits[RESERVE], 0);
    void *at = tern_ring_reserve(&s->p, want, &got);
    hostile_end(w);
    hostile_check(w, got <= want && got <= s->p.capacity_items && (at != NULL) == (got != 0));
    if (!at) return;
    hostile_span(w, at, (uint64_t)got * s->p.item_size_bytes, hostile_items_at(w), true);
    uint32_t count = hostile_below(w, got + 1), before = s->p.tail;
    hostile_begin(w, &ring_limits[COMMIT], 0);
    tern_ring_commit(&s->p, count);
    hostile_end(w);
    hostile_check(w, s->p.tail - before == count);
    w->successes++;
}

static void ring_produce(world *w)
{
    ring_state *s = w->state;
    uint32_t r = hostile_below(w, 256), count = hostile_below(w, RING_MOST);
    if (r < 90) {
        ring_push(w, false);
    } else if (r < 130) {
        ring_push_many(w, count);
    } else if (r < 170) {
        ring_reserve(w, 1 + count);
    } else if (r < 200) {
        ring_push(w, true);
    } else if (r < 215) {
        uint64_t timeout_ns = hostile_timeout(w);
        hostile_begin(w, &ring_limits[PRODUCER_WAIT], hostile_looks(s->p.spin_checks, timeout_ns));
        tern_status status = tern_ring_producer_wait(&s->p, timeout_ns);
        hostile_end(w);
        hostile_status(w, status, s->p.waitable ? HOSTILE_WAITS : HOSTILE_ONE(TERN_ERR_UNSUPPORTED));
    } else if (r < 228) {
        hostile_begin(w, &ring_limits[PRODUCER_STATUS], 0);
        tern_status status = tern_ring_producer_status(&s->p);
        hostile_end(w);
        hostile_status(w, status, HOSTILE_STANDS);
    } else if (r < 240) {
        hostile_begin(w, &ring_limits[PRODUCER_COUNT], 0);
        uint32_t was = tern_ring_producer_was_count(&s->p);
        hostile_end(w);
        hostile_check(w, was <= s->p.capacity_items);
    } else if (r < 246) {
        ring_inspect(w);
    } else if (r < 254) {
        ring_attach_producer(w);
    } else {
        hostile_begin(w, &ring_limits[CLOSE_PRODUCER], 0);
        tern_ring_close_producer(&s->p);
        hostile_end(w);
    }
}

/* ---- The consumer ------------------------------------------------------------------------------------------- */

static void ring_pop(world *w, bool waits)
{
    ring_state *s = w->state;
    uint64_t timeout_ns = waits ? hostile_timeout(w) : 0;
    uint32_t before = s->c.head, looks = waits ? hostile_looks(s->c.spin_checks, timeout_ns) : 0;
    unsigned char *item = hostile_out(w, s->c.item_size_bytes);
    hostile_begin(w, &ring_limits[waits ? POP_WAIT : POP], looks);
    tern_status status = waits ? tern_ring_pop_wait(&s->c, item, timeout_ns) : TERN_OK;
    bool popped = waits ? status == TERN_OK
                        : s->c.item_size_bytes == 64 ? ring_lines_pop(&s->c, (void *)item) : tern_ring_pop(&s->c, item);
    hostile_end(w);
    hostile_status(w, status, s->c.waitable ? HOSTILE_WAITS : HOSTILE_WAITS | HOSTILE_ONE(TERN_ERR_UNSUPPORTED));
    hostile_check(w, s->c.head - before == (popped ? 1 : 0));   /* OK without an item would be nonsense */
    w->successes += popped;
}

static void ring_pop_many(world *w, uint32_t count)
{
    ring_state *s = w->state;
    uint32_t before = s->c.head, n;
    if (count > HOSTILE_BUFFER_BYTES / s->c.item_size_bytes) count = HOSTILE_BUFFER_BYTES / s->c.item_size_bytes;
    unsigned char *items = hostile_out(w, (size_t)count * s->c.item_size_bytes);
    hostile_begin(w, &ring_limits[POP_MANY], s->c.sequenced ? count : s->c.item_size_bytes == 64 ? count : 0);
    if (s->c.item_size_bytes == 64) n = ring_lines_pop_many(&s->c, (void *)items, count);
    else n = tern_ring_pop_many(&s->c, items, count);
    hostile_end(w);
    /* a peer that fills sequences while we empty them can make it any number, never more than asked for */
    hostile_check(w, n <= count && (s->c.sequenced || n <= s->c.capacity_items) && s->c.head - before == n);
    w->successes += n != 0;
}

static void ring_peek(world *w, uint32_t want)
{
    ring_state *s = w->state;
    uint32_t got;
    hostile_begin(w, &ring_limits[PEEK], 0);
    const void *at = tern_ring_peek(&s->c, want, &got);
    hostile_end(w);
    hostile_check(w, got <= want && got <= s->c.capacity_items && (at != NULL) == (got != 0));
    if (!at) return;
    hostile_span(w, at, (uint64_t)got * s->c.item_size_bytes, hostile_items_at(w), false);
    uint32_t count = hostile_below(w, got + 1), before = s->c.head;
    hostile_begin(w, &ring_limits[RELEASE], 0);
    tern_ring_release(&s->c, count);
    hostile_end(w);
    hostile_check(w, s->c.head - before == count);
    w->successes++;
}

static void ring_consume(world *w)
{
    ring_state *s = w->state;
    uint32_t r = hostile_below(w, 256), count = hostile_below(w, RING_MOST);
    if (r < 90) {
        ring_pop(w, false);
    } else if (r < 130) {
        ring_pop_many(w, count);
    } else if (r < 170) {
        ring_peek(w, 1 + count);
    } else if (r < 200) {
        ring_pop(w, true);
    } else if (r < 215) {
        uint64_t timeout_ns = hostile_timeout(w);
        hostile_begin(w, &ring_limits[CONSUMER_WAIT], hostile_looks(s->c.spin_checks, timeout_ns));
        tern_status status = tern_ring_consumer_wait(&s->c, timeout_ns);
        hostile_end(w);
        hostile_status(w, status, s->c.waitable ? HOSTILE_WAITS : HOSTILE_ONE(TERN_ERR_UNSUPPORTED));
    } else if (r < 228) {
        hostile_begin(w, &ring_limits[CONSUMER_STATUS], 0);
        tern_status status = tern_ring_consumer_status(&s->c);
        hostile_end(w);
        hostile_status(w, status, HOSTILE_STANDS);
    } else if (r < 240) {
        hostile_begin(w, &ring_limits[CONSUMER_COUNT], 0);
        uint32_t was = tern_ring_consumer_was_count(&s->c);
        hostile_end(w);
        hostile_check(w, was <= s->c.capacity_items);
    } else if (r < 246) {
        ring_inspect(w);
    } else if (r < 254) {
        ring_attach_consumer(w);
    } else {
        hostile_begin(w, &ring_limits[CLOSE_CONSUMER], 0);
        tern_ring_close_consumer(&s->c);
        hostile_end(w);
    }
}

static void ring_act(world *w)
{
    hostile_take_turns(w, RING_PRODUCER, 3, ring_produce, ring_consume);
}

/* ---- Victims ---------------------------------------------------------------------------------------------------- */

#define VICTIM(name, form, role) { name, form, role, sizeof(ring_state), ring_shape, ring_make, ring_act, ring_word, \
                                   ring_own, NULL, sizeof(struct tern_ring_geometry), ring_rereads, \
                                   ring_limits, RING_CALLS }

const hostile_victim hostile_ring_victims[] = {
    VICTIM("ring_indexed_producer", 0, RING_PRODUCER),
    VICTIM("ring_indexed_consumer", 0, RING_CONSUMER),
    VICTIM("ring_indexed_waitable_producer", TERN_RING_WAITABLE, RING_PRODUCER),
    VICTIM("ring_indexed_waitable_consumer", TERN_RING_WAITABLE, RING_CONSUMER),
    VICTIM("ring_sequenced_producer", TERN_RING_SEQUENCED, RING_PRODUCER),
    VICTIM("ring_sequenced_consumer", TERN_RING_SEQUENCED, RING_CONSUMER),
    VICTIM("ring_sequenced_waitable_producer", TERN_RING_SEQUENCED | TERN_RING_WAITABLE, RING_PRODUCER),
    VICTIM("ring_sequenced_waitable_consumer", TERN_RING_SEQUENCED | TERN_RING_WAITABLE, RING_CONSUMER),
    VICTIM("ring_paged_producer", TERN_RING_PAGED, RING_PRODUCER),
    VICTIM("ring_paged_consumer", TERN_RING_PAGED, RING_CONSUMER),
    { .name = NULL },
};
