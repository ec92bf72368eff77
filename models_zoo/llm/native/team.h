// Threads that share the phases of one piece of work.
#pragma once
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include <immintrin.h>

// Phases one after another, each a number of items. Whoever is free takes the next items, and a phase ends when
// its items are done: nobody waits for a thread that the system has not got round to running.
class Team {
    struct alignas(64) Phase {
        std::atomic<int> next{0}, done{0};
    };
    std::vector<Phase> phases_;
    int threads_;

   public:
    Team(size_t phases, int threads) : phases_(phases), threads_(threads) {}

    // every thread calls it with the same phase and count, and so every thread goes through the same phases
    template <class Work>
    void share(size_t& phase, int count, const Work& work) {
        Phase& p = phases_[phase++];
        int chunk = std::max(1, count / (8 * threads_));
        for (int first; p.next.load(std::memory_order_relaxed) < count && (first = p.next.fetch_add(chunk)) < count;) {
            int end = std::min(count, first + chunk);
            for (int item = first; item < end; item++) work(item);
            p.done.fetch_add(end - first, std::memory_order_release);
        }
        for (int spins = 0; p.done.load(std::memory_order_acquire) < count; spins++)
            if (spins < 400) _mm_pause();
            else sched_yield();
    }
};

// The process's helper threads. They keep off the processor of the thread that they help: a system that packs
// threads onto few processors would let them take turns there.
class Helpers {
    std::mutex busy_, lock_;
    std::condition_variable begin_, end_;
    const std::function<void()>* job_ = nullptr;
    int wanted_ = 0, active_ = 0, processor_ = -1;
    uint64_t number_ = 0;
    cpu_set_t allowed_;
    std::vector<std::thread> threads_;

    void help(int index) {
        std::unique_lock<std::mutex> held(lock_);
        for (uint64_t seen = 0;;) {
            begin_.wait(held, [&] { return job_ && number_ != seen && index < wanted_; });
            seen = number_;
            active_++;
            const std::function<void()>* job = job_;
            held.unlock();
            (*job)();
            held.lock();
            if (--active_ == 0) end_.notify_all();
        }
    }

    // as many as the system gives: those that there are do all the work
    void hire(int count) {
        try {
            for (; (int)threads_.size() < count; processor_ = -1)
                threads_.emplace_back(&Helpers::help, this, (int)threads_.size());
        } catch (const std::system_error&) {
        }
    }

    void keep_off(int processor) {
        if (processor == processor_ || CPU_COUNT(&allowed_) < 2) return;
        cpu_set_t others = allowed_;
        CPU_CLR(processor, &others);
        for (auto& thread : threads_) pthread_setaffinity_np(thread.native_handle(), sizeof others, &others);
        processor_ = processor;
    }

   public:
    Helpers() { sched_getaffinity(0, sizeof allowed_, &allowed_); }

    // `job` on this thread and, as far as they come in time, on `threads` - 1 others. It must not throw: helpers
    // have nobody to tell, and the others would wait for its items.
    void run(int threads, const std::function<void()>& job) {
        std::lock_guard<std::mutex> alone(busy_);
        hire(threads - 1);
        if (threads > 1) {
            keep_off(sched_getcpu());
            std::lock_guard<std::mutex> held(lock_);
            job_ = &job, wanted_ = threads - 1, number_++;
            begin_.notify_all();
        }
        job();
        if (threads > 1) {
            std::unique_lock<std::mutex> held(lock_);
            job_ = nullptr;
            end_.wait(held, [&] { return active_ == 0; });
        }
    }

    // never destroyed, and new after a fork, whose child has no threads
    static Helpers& here() {
        static std::mutex lock;
        static Helpers* helpers = nullptr;
        static pid_t owner = 0;
        std::lock_guard<std::mutex> held(lock);
        if (owner != getpid()) helpers = new Helpers, owner = getpid();
        return *helpers;
    }
};
