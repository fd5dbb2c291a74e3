/* A client in the words of Packice's older versions: a Unix socket, JSON lines, a descriptor.
 *
 *     client SOCKET put ID < bytes
 *     client SOCKET get ID > bytes
 *
 * Of JSON it knows as much as these few messages need: ids with quotes or backslashes are beyond it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static int dial(const char* path) {
  struct sockaddr_un address;
  int node = socket(AF_UNIX, SOCK_STREAM, 0);
  memset(&address, 0, sizeof(address));
  address.sun_family = AF_UNIX;
  if (strlen(path) >= sizeof(address.sun_path)) {
    fprintf(stderr, "the path of the socket is too long\n");
    exit(1);
  }
  strcpy(address.sun_path, path);
  if (node < 0 || connect(node, (struct sockaddr*)&address, sizeof(address)) != 0) fail(path);
  return node;
}

/* Sends a request line and reads its response line. Answers the descriptor that came along, or -1. */
static int ask(int node, const char* request, char* response, size_t size) {
  int fd = -1;
  size_t have = 0;
  if (write(node, request, strlen(request)) != (ssize_t)strlen(request)) fail("cannot ask");
  while (have == 0 || response[have - 1] != '\n') {
    union {
      struct cmsghdr align;
      char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec piece = {response + have, size - 1 - have};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    const ssize_t got = recvmsg(node, &message, 0);
    const struct cmsghdr* rights = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (got <= 0) fail("the node is gone");
    if (rights != NULL && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
      memcpy(&fd, CMSG_DATA(rights), sizeof(fd));
    }
    have += (size_t)got;
  }
  response[have] = '\0';
  if (strstr(response, "\"error\"") != NULL) {
    fputs(response, stderr);
    exit(1);
  }
  return fd;
}

/* Copies the value of "lease_id", 32 hexadecimal digits. */
static void find_lease(const char* response, char lease[33]) {
  const char* found = strstr(response, "\"lease_id\":\"");
  if (found == NULL || sscanf(found, "\"lease_id\":\"%32[0-9a-f]\"", lease) != 1) {
    fprintf(stderr, "no lease in %s", response);
    exit(1);
  }
}

static void copy(int from, int to) {
  char buffer[65536];
  ssize_t got;
  while ((got = read(from, buffer, sizeof(buffer))) > 0) {
    if (write(to, buffer, (size_t)got) != got) fail("cannot write");
  }
  if (got < 0) fail("cannot read");
}

int main(int argc, char** argv) {
  char request[1024], response[8192], lease[33];
  int put, node, attachment;
  if (argc != 4 || (strcmp(argv[2], "put") != 0 && strcmp(argv[2], "get") != 0)) {
    fprintf(stderr, "usage: client SOCKET put|get ID\n");
    return 2;
  }
  put = strcmp(argv[2], "put") == 0;
  node = dial(argv[1]);
  snprintf(request, sizeof(request), "{\"objid\":\"%s\",\"intent\":\"%s\",\"ttl_seconds\":60}\n",
           argv[3], put ? "create" : "read");
  attachment = ask(node, request, response, sizeof(response));
  if (attachment < 0) {
    fprintf(stderr, "no descriptor came with %s", response);
    return 1;
  }
  find_lease(response, lease);
  if (put) {
    copy(STDIN_FILENO, attachment);
    snprintf(request, sizeof(request), "{\"command\":\"seal\",\"lease_id\":\"%s\"}\n", lease);
    ask(node, request, response, sizeof(response));
  } else {
    copy(attachment, STDOUT_FILENO);
  }
  close(attachment);
  snprintf(request, sizeof(request), "{\"command\":\"release\",\"lease_id\":\"%s\"}\n", lease);
  ask(node, request, response, sizeof(response));
  close(node);
  return 0;
}
