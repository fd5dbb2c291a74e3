// What a fork(2) must not leave to the child: its copies of sockets that connect the parent. Were
// they kept open, the other end would not notice when the parent closes its own. Thread-safe.
#pragma once

namespace packice {

// From AddSocket to RemoveSocket, which comes before its close(2), a forked child closes its copy.
void AddSocketOfThisProcess(int fd);
void RemoveSocketOfThisProcess(int fd);

// Calls `in_child(object)` in each forked child, on its only thread, until it is removed.
void AddForkHook(void* object, void (*in_child)(void* object));
void RemoveForkHook(void* object);

}  // namespace packice
