// SPDX-License-Identifier: MIT
// checker.hpp: Relacy, and the suites as it sees them. It is compiled once for each number of threads and each way
// to search (checker.cpp), and not for each suite: most of a model program's compilation was that.
#pragma once

#include <relacy/relacy.hpp>
#include <relacy/pthread.h>
#include <relacy/stdlib/windows.hpp>

/// A suite whose type nobody sees.
struct model_any {
    virtual ~model_any() {}
    virtual void before() = 0;
    virtual void thread(unsigned id) = 0;
    virtual void invariant() = 0;
    virtual void after() = 0;
};

template <typename Suite> struct model_one : model_any {
    Suite suite;
    void before() override { suite.before(); }
    void thread(unsigned id) override { suite.thread(id); }
    void invariant() override { suite.invariant(); }
    void after() override { suite.after(); }

    /// In static memory: Relacy replaces operator new while it simulates, and there is one suite at a time.
    static model_any *make()
    {
        alignas(model_one) static unsigned char memory[sizeof(model_one)];
        return new (memory) model_one;
    }
};

/// Makes the suite that is simulated, anew for each execution.
inline model_any *(*&model_make())()
{
    static model_any *(*function)() = nullptr;
    return function;
}

/// Whether the suite of model_make() with so many threads succeeds, searched in one way: see checker.cpp.
template <rl::thread_id_t Threads, template <rl::thread_id_t> class Scheduler> bool model_play(rl::test_params &p);
