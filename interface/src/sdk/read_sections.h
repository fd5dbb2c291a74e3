// Who is reading something that may be replaced: readers come and go with two atomic operations,
// and whoever has replaced it learns when nobody can see the old one any more.
//
// Thread-safe. Enter and its end take no lock and never wait; AwaitReaders is for one thread at a
// time.
//
// The argument. What is read is reached through an atomic pointer that is loaded and exchanged with
// seq_cst. A reader counts itself in (seq_cst) before it loads the pointer, and out (release) after
// its last look. AwaitReaders sees each counter at zero (seq_cst) after the exchange. Suppose that
// a reader has loaded the old pointer. Then its load comes before the exchange in the one order of
// seq_cst operations, its count before its load, and the exchange before the look at its counter;
// so that look sees the count, and zero only if it sees the reader's leaving too, which makes all
// that the reader did happen before what follows AwaitReaders.
//
// Each stripe has two counters, and new readers use the one that the replacer does not wait for, so
// that readers who come without end cannot keep it waiting. A reader that was delayed between
// choosing a counter and counting in may take the other one: that is why both are seen at zero. It
// is for progress alone that there are two.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace packice::sdk {

class ReadSections {
 public:
  class Section {
   public:
    explicit Section(std::atomic<uint64_t>& inside) : inside_(inside) {
      inside_.fetch_add(1, std::memory_order_seq_cst);
    }
    ~Section() { inside_.fetch_sub(1, std::memory_order_release); }
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;

   private:
    std::atomic<uint64_t>& inside_;
  };

  // From now on what the pointer shows stays, until the section goes.
  Section Enter() {
    return Section(stripes_[ThisThreadsStripe()].inside[side_.load(std::memory_order_relaxed)]);
  }

  // Once it returns nobody sees what the pointer was exchanged for before the call. Waits for
  // readers, by looking again and again: they are at it for some microseconds.
  void AwaitReaders();

 private:
  static constexpr size_t kStripes = 16;

  // Two cache lines: processors fetch them in pairs.
  struct alignas(128) Stripe {
    std::array<std::atomic<uint64_t>, 2> inside = {};
  };

  static size_t ThisThreadsStripe();
  void AwaitSide(uint32_t side);

  std::array<Stripe, kStripes> stripes_;
  std::atomic<uint32_t> side_{0};  // that new readers use
};

}  // namespace packice::sdk
