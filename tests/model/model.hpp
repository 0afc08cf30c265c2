// SPDX-License-Identifier: MIT
// model.hpp: runs the shipping headers and lib/*.c under Relacy, and then once more for every
// order site, weakened. A weakened site that no suite catches is a failure of the tests, unless
// it stands on the reviewed list of equivalents.
//
// A suite can let a thread die before any of its accesses, as a process does that is killed: what it
// stored so far stays, and it does nothing more (model_death).
//
// Memory: a suite holds the shared structs as members, so that Relacy constructs their atomics,
// and tells which bytes are payload (model_payload). Each copy to or from payload goes through
// the hooks of atomic.h and touches an rl::var, so that a race on it ends the execution.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "checker.hpp"

#define TERN_MODEL 1
#define TERN_SPIN_CHECKS 0u
#define TERN_RING_QUIET 1u   // plain stores at once, where they are allowed
#include "../../include/tern/wait.h"

// ---- Order sites ----------------------------------------------------------------------------

struct model_site {
    const char *name;
    rl::memory_order order;
    tern_model_access access;
};

/// A list without the heap: Relacy replaces operator new while it simulates.
template <typename T, size_t Most> struct model_list {
    T at[Most];
    size_t count;
    T *begin() { return at; }
    T *end() { return at + count; }
    void add(T value)
    {
        if (count == Most) std::abort();
        at[count++] = value;
    }
};

inline model_list<model_site, 128> &model_sites()
{
    static model_list<model_site, 128> sites = {};
    return sites;
}

struct model_mutation {
    const char *site = nullptr;
    rl::memory_order order = rl::mo_relaxed;
};
inline model_mutation &model_current_mutation()
{
    static model_mutation mutation;
    return mutation;
}

/// Called before each access that has a site, if set. A suite can hold a thread back there, to
/// bring about a schedule that is too rare to come by chance.
inline void (*&model_at_site())(const char *site)
{
    static void (*hook)(const char *) = nullptr;
    return hook;
}

/// Called before each access to an atomic or to payload, if set.
inline void (*&model_at_access())()
{
    static void (*hook)() = nullptr;
    return hook;
}

inline rl::memory_order tern_model_relaxed()
{
    if (model_at_access()) model_at_access()();
    return rl::mo_relaxed;
}

inline rl::memory_order tern_model_order(const char *site, rl::memory_order order, tern_model_access access)
{
    if (model_at_access()) model_at_access()();
    if (model_at_site()) model_at_site()(site);
    auto &sites = model_sites();
    auto is = [&](const model_site &s) { return !std::strcmp(s.name, site); };
    // nearly every access is by a literal that came before; as text only what is a new one
    bool known = std::any_of(sites.begin(), sites.end(), [&](const model_site &s) { return s.name == site; });
    if (!known && std::none_of(sites.begin(), sites.end(), is)) sites.add({ site, order, access });
    const model_mutation &mutation = model_current_mutation();
    return mutation.site && !std::strcmp(mutation.site, site) ? mutation.order : order;
}

// ---- Payload ---------------------------------------------------------------------------------

enum { MODEL_CELLS = 64 };

/// Bytes whose accesses are watched, in cells of a size that no access straddles. Each execution makes
/// its suite anew, so there are as many variables of Relacy's as cells, and no more.
struct model_payload {
    const unsigned char *begin = nullptr;
    size_t cell_bytes = 1, cells = 0;
    std::optional<rl::var<int>> shadow[MODEL_CELLS];
};

inline model_list<model_payload *, 16> &model_payloads()
{
    static model_list<model_payload *, 16> payloads = {};
    return payloads;
}

bool &model_hears_barriers();

/// In before(): forget the last execution's memory.
inline void model_begin()
{
    model_payloads().count = 0;
    model_at_site() = nullptr;
    model_at_access() = nullptr;
    model_hears_barriers() = true;
}

inline void model_watch(model_payload &payload, const void *begin, size_t size_bytes, size_t cell_bytes)
{
    payload.begin = static_cast<const unsigned char *>(begin);
    payload.cell_bytes = cell_bytes;
    payload.cells = (size_bytes + cell_bytes - 1) / cell_bytes;
    if (payload.cells > MODEL_CELLS) std::abort();
    for (size_t i = 0; i < payload.cells; i++) payload.shadow[i].emplace();
    model_payloads().add(&payload);
}

/// Bytes that were there before the threads began.
inline void model_fill(model_payload &payload)
{
    for (size_t i = 0; i < payload.cells; i++) (*payload.shadow[i])($).store(0);
}

template <typename Access> inline void model_access(const void *address, size_t size_bytes, Access access)
{
    if (size_bytes == 0) return;
    if (model_at_access()) model_at_access()();
    auto at = static_cast<const unsigned char *>(address);
    for (model_payload *p : model_payloads()) {
        if (at < p->begin || at >= p->begin + p->cells * p->cell_bytes) continue;
        size_t first = size_t(at - p->begin) / p->cell_bytes;
        size_t last = (size_t(at - p->begin) + size_bytes - 1) / p->cell_bytes;
        for (size_t i = first; i <= last && i < p->cells; i++) access(*p->shadow[i]);
        return;
    }
    std::fprintf(stderr, "model: an access to memory that no suite watches\n");
    std::abort();
}

inline void tern_model_payload_write(const void *address, size_t size_bytes)
{
    model_access(address, size_bytes, [](rl::var<int> &cell) { cell($).store(1); });
}

inline void tern_model_payload_read(const void *address, size_t size_bytes)
{
    model_access(address, size_bytes, [](rl::var<int> &cell) { (void)(int)cell($).load(); });
}

// ---- Sequences of a sequenced ring -----------------------------------------------------------

/// Relacy must construct its atomics, so those in the slots stand beside them.
struct model_sequences {
    const unsigned char *begin = nullptr;
    size_t slot_bytes = 1;
    tern_a32 at[8];
};

inline model_sequences *&model_current_sequences()
{
    static model_sequences *current = nullptr;
    return current;
}

inline tern_a32 *tern_model_ring_sequence(const unsigned char *slot)
{
    model_sequences *s = model_current_sequences();
    size_t index = size_t(slot - s->begin) / s->slot_bytes;
    if (index >= 8) std::abort();
    return &s->at[index];
}

// ---- Waiting ---------------------------------------------------------------------------------

extern "C" inline tern_status tern_word_wait(tern_a32 *word, uint32_t expected, uint64_t timeout_ns)
{
    (void)timeout_ns;   // no suite gives a time-out: a lost wake-up must show as a deadlock
    futex(&word->value, FUTEX_WAIT, int(expected), 0, 0, 0);
    return TERN_OK;
}

extern "C" inline void tern_word_wake(tern_a32 *word)
{
    futex(&word->value, FUTEX_WAKE, 1000, 0, 0, 0);
}

#if !defined(MODEL_EVENTFD)   // who has a model of eventfds brings it along
extern "C" inline tern_status tern__eventfd_check(int fd)
{
    (void)fd;
    return TERN_ERR_UNSUPPORTED;
}

extern "C" inline void tern__eventfd_wake(int fd)
{
    (void)fd;
}
#endif

// ---- Peers ---------------------------------------------------------------------------------------

/// Whether the lock on a byte is held, where a kernel watches over peers; who is told so has all that the
/// former holder did.
inline bool (*&model_is_locked())(uint64_t byte)
{
    static bool (*function)(uint64_t) = nullptr;
    return function;
}

extern "C" inline bool tern__os_lock(int, uint64_t) { return true; }
extern "C" inline void tern__os_unlock(int, uint64_t) {}
extern "C" inline bool tern__os_is_locked(int, uint64_t byte) { return model_is_locked()(byte); }
#if !defined(MODEL_SELF)
extern "C" inline void tern__os_self(struct tern_region_peer *) {}
#endif

/// Whether ends may publish by plain stores; see tern_barrier_light() and _heavy() in atomic.h.
inline bool &model_hears_barriers()
{
    static bool hears = true;
    return hears;
}

extern "C" inline bool tern__barrier_register(void)
{
    return model_hears_barriers();
}

extern "C" inline uint64_t tern_now_ns(void)
{
    return 0;
}

extern "C" inline uint32_t tern__pause_ps(void)
{
    return 0;
}

// ---- Death -----------------------------------------------------------------------------------

/// A thread that dies before one of its accesses, any of them, and who learns of it as from a kernel: with
/// all that the dead one stored.
struct model_death {
    struct blow {};
    rl::atomic<int> is_over;
    unsigned thread, accesses_left;
    model_death *next;

    static model_death *&all()
    {
        static model_death *first;
        return first;
    }
    static void strike()
    {
        for (model_death *d = all(); d; d = d->next)
            if (d->thread == rl::thread_index() && d->accesses_left != 0 && --d->accesses_left == 0) throw blow();
    }
    /// In before(), after model_begin(); the first of a suite's deaths with `is_first`.
    void prepare(bool is_first)
    {
        next = is_first ? nullptr : all();
        all() = this;
        thread = ~0u;
        accesses_left = 0;
        is_over.store(0, rl::mo_relaxed, $);
    }
    /// Do it, and die in it before one of the first `accesses`, or after it.
    template <typename Work> void in(unsigned accesses, Work work)
    {
        thread = rl::thread_index();
        accesses_left = 1 + rl::rand(accesses);
        model_at_access() = strike;
        try {
            work();
        } catch (blow) {
        }
        accesses_left = 0;
        is_over.store(1, rl::mo_release, $);
    }
    void await()
    {
        while (!is_over.load(rl::mo_acquire, $)) tern_cpu_relax();
    }
};

// ---- Runner ----------------------------------------------------------------------------------

/// One way to search a suite.
template <typename Suite, template <rl::thread_id_t> class Scheduler>
bool model_search(rl::test_params &p, rl::scheduler_type_e meant)
{
    static_assert(Suite::params::expected_result == rl::test_result_success, "a suite is to succeed");
    if (p.search_type != meant) std::abort();
    model_make() = model_one<Suite>::make;
    return model_play<Suite::params::thread_count, Scheduler>(p);
}

template <typename Suite> bool model_random(rl::test_params &p)
{
    return model_search<Suite, rl::random_scheduler>(p, rl::sched_random);
}

template <typename Suite> bool model_bound(rl::test_params &p)
{
    return model_search<Suite, rl::context_bound_scheduler>(p, rl::sched_bound);
}

struct model_suite {
    const char *name;
    bool (*simulate)(rl::test_params &);  // model_random of it
    bool (*bounded)(rl::test_params &);   // model_bound of a shorter one that can be exhausted; null: none
};

/// A mutant that no execution can tell from the original, with the proof in words.
struct model_equivalent {
    const char *site;
    rl::memory_order weakened;
    const char *proof;
};

/// An algorithm with a mistake that others made. The checker must find it, or it proves nothing
/// about the algorithms without it.
struct model_bug {
    const char *name;
    bool (*simulate)(rl::test_params &);
};

inline bool model_run(bool (*simulate)(rl::test_params &), rl::scheduler_type_e search, unsigned executions,
                      rl::test_params &p)
{
    static std::ofstream nowhere("/dev/null");
    p.iteration_count = executions;
    p.search_type = search;
    p.context_bound = 2;
    p.output_stream = &nowhere;
    p.progress_stream = &nowhere;
    p.execution_depth_limit = 4000;
    return simulate(p);
}

inline const char *model_order_name(rl::memory_order order)
{
    return order == rl::mo_seq_cst ? "seq_cst"
        : order == rl::mo_acquire ? "acquire"
        : order == rl::mo_release  ? "release"
        : order == rl::mo_acq_rel  ? "acq_rel"
                                   : "relaxed";
}

/// Of these sites those that begin, or do not begin, with one of the prefixes.
inline std::vector<std::string> model_choose(std::vector<std::string> sites, std::vector<std::string> prefixes,
                                             bool with)
{
    std::vector<std::string> chosen;
    for (const std::string &site : sites) {
        bool begins = std::any_of(prefixes.begin(), prefixes.end(),
                                  [&](const std::string &p) { return site.compare(0, p.size(), p) == 0; });
        if (begins == with) chosen.push_back(site);
    }
    return chosen;
}

class model_runner {
public:
    model_runner(std::vector<model_suite> suites, std::vector<std::string> expected_sites,
                 std::vector<model_equivalent> equivalents, std::vector<model_bug> bugs = {})
        : suites_(suites), expected_(expected_sites), equivalents_(equivalents), bugs_(bugs)
    {
    }

    int run(int argc, char **argv)
    {
        // EXECUTIONS of each suite, and then the beginning of the sites' names that alone are to be weakened
        unsigned executions = argc > 1 ? unsigned(std::atoi(argv[1])) : 100000;
        const std::string only = argc > 2 ? argv[2] : "";
        for (const model_suite &suite : suites_) {
            original(suite.name, suite.simulate, rl::sched_random, executions, "random");
            if (suite.bounded) original(suite.name, suite.bounded, rl::sched_bound, 0, "context bound 2, all");
        }
        model_list<model_site, 128> sites = model_sites();
        for (const std::string &name : expected_) {
            bool seen = std::any_of(sites.begin(), sites.end(), [&](const model_site &s) { return name == s.name; });
            if (!seen) report(false, "site " + name + " is never reached by a suite");
        }
        for (const model_site &site : sites) {
            // what another module's program weakens is not weakened here as well
            if (std::find(expected_.begin(), expected_.end(), site.name) == expected_.end()) continue;
            if (std::string(site.name).compare(0, only.size(), only) != 0) continue;
            if (site.order == rl::mo_relaxed) continue;   // a light barrier: nothing to weaken
            if (site.order == rl::mo_seq_cst && site.access != TERN_MODEL_BARRIER) {
                mutant(site, site.access == TERN_MODEL_LOAD ? rl::mo_acquire : rl::mo_acq_rel, executions);
            } else if (site.order != rl::mo_acq_rel) {
                mutant(site, rl::mo_relaxed, executions);
            } else {   // each half by itself
                mutant(site, rl::mo_acquire, executions);
                mutant(site, rl::mo_release, executions);
            }
        }
        for (const model_bug &mistake : bugs_) bug(mistake, executions);
        std::printf("1..%d\n", count_);
        return failed_ ? 1 : 0;
    }

private:
    void report(bool ok, const std::string &text)
    {
        std::printf("%sok %d - %s\n", ok ? "" : "not ", ++count_, text.c_str());
        std::fflush(stdout);
        if (!ok) failed_++;
    }

    void original(const char *name, bool (*simulate)(rl::test_params &), rl::scheduler_type_e search,
                  unsigned executions, const char *how)
    {
        rl::test_params p;
        bool ok = model_run(simulate, search, executions, p);
        std::string text = std::string(name) + ": " + std::to_string(p.stop_iteration) + " executions, " + how;
        if (!ok) text += std::string(": ") + rl::test_result_str(p.test_result);
        report(ok, text);
    }

    void bug(const model_bug &mistake, unsigned executions)
    {
        rl::test_params p;
        bool found = !model_run(mistake.simulate, rl::sched_random, executions, p);
        std::string text = std::string("a known mistake, ") + mistake.name;
        if (found)
            text += std::string(": found at execution ") + std::to_string(p.stop_iteration) + " ("
                + rl::test_result_str(p.test_result) + ")";
        report(found, found ? text : text + ": not found");
    }

    void mutant(const model_site &site, rl::memory_order weakened, unsigned executions)
    {
        model_current_mutation().site = site.name;
        model_current_mutation().order = weakened;
        std::string text = std::string("weakened ") + site.name + ": " + model_order_name(site.order) + " -> "
            + model_order_name(weakened) + " ";
        bool caught = false;
        for (const model_suite &suite : suites_) {
            rl::test_params p;
            caught = !model_run(suite.simulate, rl::sched_random, executions, p);
            if (!caught) continue;
            text += std::string("caught by ") + suite.name + " at execution " + std::to_string(p.stop_iteration) + " ("
                + rl::test_result_str(p.test_result) + ")";
            break;
        }
        model_current_mutation().site = nullptr;
        auto known = std::find_if(equivalents_.begin(), equivalents_.end(),
                                  [&](const model_equivalent &e) {
                                      return !std::strcmp(e.site, site.name) && e.weakened == weakened;
                                  });
        if (!caught && known != equivalents_.end()) report(true, text + "survives as reviewed: " + known->proof);
        else if (!caught) report(false, text + "survives: a test is missing, or the order is stronger than needed");
        else if (known != equivalents_.end()) report(false, text + "but stands on the list of equivalents");
        else report(true, text);
    }

    std::vector<model_suite> suites_;
    std::vector<std::string> expected_;
    std::vector<model_equivalent> equivalents_;
    std::vector<model_bug> bugs_;
    int count_ = 0, failed_ = 0;
};
