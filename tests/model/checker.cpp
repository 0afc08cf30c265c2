// SPDX-License-Identifier: MIT
// checker.cpp: the model checker itself, for the numbers of threads that the suites have.
#include "checker.hpp"

#include <sstream>

namespace {

/// What Relacy simulates.
template <rl::thread_id_t Threads> struct stage : rl::test_suite<stage<Threads>, Threads> {
    model_any *any = model_make()();
    ~stage() { any->~model_any(); }
    void before() { any->before(); }
    void thread(unsigned id) { any->thread(id); }
    void invariant() { any->invariant(); }
    void after() { any->after(); }
};

} // namespace

/// rl::simulate would compile the checker for three ways to search each time, and twice again to tell the history of
/// a failure, which nobody reads here.
template <rl::thread_id_t Threads, template <rl::thread_id_t> class Scheduler> bool model_play(rl::test_params &p)
{
    std::ostringstream state;
    return rl::run_test<stage<Threads>, Scheduler<Threads>>(p, state, false) == rl::test_result_success;
}

template bool model_play<1, rl::random_scheduler>(rl::test_params &);
template bool model_play<2, rl::random_scheduler>(rl::test_params &);
template bool model_play<2, rl::context_bound_scheduler>(rl::test_params &);
template bool model_play<3, rl::random_scheduler>(rl::test_params &);
template bool model_play<3, rl::context_bound_scheduler>(rl::test_params &);
template bool model_play<4, rl::random_scheduler>(rl::test_params &);
