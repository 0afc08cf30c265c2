/* SPDX-License-Identifier: MIT */
/*
 * ring_race.cpp: Tern's ring beside the SPSC queues that Debian ships.
 *
 *     ring_race                       every item size, 7 repetitions of 0.3 s
 *     ring_race --quick               8 and 64 bytes, 3 repetitions of 0.1 s
 *     ring_race --json FILE           raw repetitions besides the table
 *     ring_race --smoke               a test: few items, checked, nothing timed
 *
 * Contestants take turns (A B C A B C), so that a machine that changes its mind
 * changes it for all. See docs/benchmarks.md for how to read the answer.
 */
#include "race_report.hpp"

#include <chrono>

using namespace bench;

namespace {

using run_fn = repetition (*)(const cpus &, double);

struct contestant {
    const char *name;
    bool own;         /* Tern itself; the plain ring is the first of them */
    unsigned pauses;
    run_fn throughput, round_trip;
};

template <class Queue, class Item, unsigned Pauses>
contestant entry(bool own)
{
    return { Queue::name(), own, Pauses, throughput<Queue, Item, Pauses>, round_trip<Queue, Item, Pauses> };
}

template <class Queue, class Item>
void all_loops(std::vector<contestant> &list, bool own)
{
    list.push_back(entry<Queue, Item, 0>(own));
    list.push_back(entry<Queue, Item, 1>(own));
    list.push_back(entry<Queue, Item, 4>(own));
}

/* Everybody for one item size. Peers appear in each form that was ever the best of theirs. */
template <unsigned Size>
std::vector<contestant> contestants()
{
    using Item = item<Size>;
    std::vector<contestant> list;
    all_loops<tern_queue<Item>, Item>(list, true);
    all_loops<tern_queue<Item, TERN_RING_WAITABLE>, Item>(list, true);
#if defined(RACE_HAVE_BOOST)
    all_loops<boost_queue<Item>, Item>(list, false);
#endif
#if defined(RACE_HAVE_MOODYCAMEL)
    all_loops<moodycamel_queue<Item>, Item>(list, false);
#endif
#if defined(RACE_HAVE_CK)
    all_loops<ck_queue<Item>, Item>(list, false);
#endif
#if defined(RACE_HAVE_ATOMIC_QUEUE)
    /* the optimistic ones wait inside; their own pause is a template parameter */
    list.push_back(entry<atomic_queue_of<Item, false, true, true>, Item, 0>(false));
    list.push_back(entry<atomic_queue_of<Item, false, false, true>, Item, 0>(false));
    list.push_back(entry<atomic_queue_of<Item, true, true, true>, Item, 0>(false));
    list.push_back(entry<atomic_queue_of<Item, true, false, true>, Item, 0>(false));
    all_loops<atomic_queue_of<Item, false, true, false>, Item>(list, false);
#endif
    return list;
}

std::vector<contestant> contestants_of(unsigned size)
{
    switch (size) {
    case 8: return contestants<8>();
    case 16: return contestants<16>();
    case 64: return contestants<64>();
    case 256: return contestants<256>();
    case 1024: return contestants<1024>();
    default: return {};
    }
}

/* One repetition with its label; a disturbed one is tried again, a few times. */
repetition measured(run_fn run, const options &o)
{
    repetition r;
    for (unsigned attempt = 0; attempt <= o.retries; attempt++) {
        double before_ns = line_round_trip_ns(o.where, 4000);
        r = run(o.where, o.seconds);
        r.line_before_ns = before_ns;
        r.line_after_ns = line_round_trip_ns(o.where, 4000);
        r.what = classify(r.line_before_ns, r.line_after_ns, r.producer_share, r.consumer_share);
        if (r.what != label::disturbed) break;
        /* whoever it was may be gone a little later */
        std::this_thread::sleep_for(std::chrono::milliseconds(50 * (attempt + 1)));
    }
    return r;
}

void race_one(unsigned size, bool latency, const options &o, std::vector<outcome> &all)
{
    std::vector<contestant> list = contestants_of(size);
    std::vector<outcome> outcomes;
    for (const contestant &c : list) {
        if (!o.only.empty() && std::string(c.name).find(o.only) == std::string::npos && !c.own) continue;
        outcomes.push_back({ c.name, c.own, c.pauses, size, latency, {} });
    }
    for (unsigned i = 0; i < o.repetitions; i++) {
        size_t next = 0;
        for (const contestant &c : list) {
            if (next == outcomes.size() || outcomes[next].name != c.name || outcomes[next].pauses != c.pauses) continue;
            outcomes[next++].repetitions.push_back(measured(latency ? c.round_trip : c.throughput, o));
        }
    }
    print_table(outcomes);
    all.insert(all.end(), outcomes.begin(), outcomes.end());
}

/* Every contestant, few items: the program works and the numbers come out in order. */
int smoke(const options &o)
{
    unsigned checked = 0;
    for (unsigned size : ALL_SIZES) {
        for (const contestant &c : contestants_of(size)) {
            checked += c.throughput(o.where, 0.001).items != 0;
            checked += c.round_trip(o.where, 0.001).items != 0;
        }
    }
    std::printf("smoke: %u runs, every item in order\n", checked);
    return checked == 0;
}

} // namespace

int main(int argc, char **argv)
{
    options o;
    if (!parse(o, argc, argv)) return 2;
    if (o.where.producer == o.where.consumer && !o.smoke) {
        std::fprintf(stderr, "the race needs two processors\n");
        return 77;
    }
    if (o.smoke) return smoke(o);

    print_machine(o);
    std::vector<outcome> all;
    for (unsigned size : o.sizes) {
        if (o.run_throughput) race_one(size, false, o, all);
        if (o.run_round_trip) race_one(size, true, o, all);
    }
    if (!o.json.empty() && !write_json(all, o)) {
        std::perror(o.json.c_str());
        return 1;
    }
    return 0;
}
