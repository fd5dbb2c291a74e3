// Which core a thread runs on: figures are comparable only at the same pinning.
#pragma once

#include <sched.h>

namespace packice {

// The calling thread, and those it starts; -1: wherever the kernel likes.
inline void PinTo(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof(set), &set);
}

}  // namespace packice
