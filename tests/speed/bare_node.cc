#include "bare_node.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "pinning.h"

namespace packice {
namespace {

// As long as a typical request and answer of the control protocol.
struct Question {
  char what;
  char padding[55];
  uint64_t size;
};
struct Reply {
  char padding[200];
};

void Check(bool ok, const char* what) {
  if (ok) return;
  std::perror(what);
  std::abort();
}

void SendReply(int socket, int descriptor) {
  Reply reply = {};
  iovec part = {&reply, sizeof(reply)};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  if (descriptor >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
  }
  Check(sendmsg(socket, &message, MSG_NOSIGNAL) == sizeof(reply), "sendmsg");
}

[[noreturn]] void Serve(int socket) {
  const int object = memfd_create("bare", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  Check(ftruncate(object, int64_t{1} << 30) == 0, "ftruncate");
  fcntl(object, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
  int created = -1;
  Question question;
  while (recv(socket, &question, sizeof(question), MSG_WAITALL) == sizeof(question)) {
    int answer = -1;
    if (question.what == 'g') answer = object;
    if (question.what == 'c') {
      answer = created = memfd_create("bare", MFD_CLOEXEC | MFD_ALLOW_SEALING);
      Check(ftruncate(created, static_cast<off_t>(question.size)) == 0, "ftruncate");
      fcntl(created, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK);
    }
    if (question.what == 's') {
      Check(fcntl(created, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL) == 0, "seal");
    }
    SendReply(socket, answer);
    // The memory is given back behind the answer, as a node would give back what it evicts.
    if (question.what == 's') close(created);
  }
  _exit(0);
}

}  // namespace

BareNode::BareNode(int cpu) {
  int ends[2];
  Check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
  child_ = fork();
  Check(child_ >= 0, "fork");
  if (child_ == 0) {
    close(ends[0]);
    PinTo(cpu);
    Serve(ends[1]);
  }
  close(ends[1]);
  socket_.Reset(ends[0]);
}

BareNode::~BareNode() {
  socket_.Reset();
  waitpid(child_, nullptr, 0);
}

void BareNode::Ask(char what, uint64_t size) {
  Question question = {what, {}, size};
  Check(send(socket_.get(), &question, sizeof(question), MSG_NOSIGNAL) == sizeof(question), "send");
  ++owed_;
}

void BareNode::Hear(UniqueFd* descriptor) {
  // At once, like a client that reads whatever is there: descriptors end a read (unix(7)).
  char bytes[16 * sizeof(Reply)];
  size_t left = static_cast<size_t>(owed_) * sizeof(Reply);
  owed_ = 0;
  while (left > 0) {
    iovec part = {bytes, left < sizeof(bytes) ? left : sizeof(bytes)};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    const ssize_t n = recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
    Check(n > 0, "recvmsg");
    left -= static_cast<size_t>(n);
    if (const cmsghdr* header = CMSG_FIRSTHDR(&message)) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(header), sizeof(int));
      descriptor->Reset(fd);
    }
  }
}

UniqueFd BareNode::Get() {
  UniqueFd descriptor;
  Ask('g', 0);
  Hear(&descriptor);
  return descriptor;
}

void BareNode::Ping() {
  Ask('p', 0);
  Hear(nullptr);
}

void BareNode::Notify() { Ask('p', 0); }

UniqueFd BareNode::Create(uint64_t size) {
  UniqueFd descriptor;
  Ask('c', size);
  Hear(&descriptor);
  return descriptor;
}

void BareNode::SealAndForget() {
  Ask('s', 0);
  Hear(nullptr);
}

}  // namespace packice
