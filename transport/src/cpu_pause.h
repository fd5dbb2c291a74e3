// For loops that wait without sleeping. Thread-safe.
#pragma once

namespace packice {

// Tells the core that this is such a loop: it takes less power then, and less of what its sibling
// shares with it. Not sched_yield: beside a process that computes on the same core it made an
// acquire of 50 us one of 2 to 8 ms, because who is awake already does not go first. What it would
// be good for, a client and a node that both poll on one core (0.4 to 0.9 ms, with it 12 us), is
// what nobody should ask for.
inline void CpuPause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace packice
