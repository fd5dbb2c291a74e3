// What a stranger's first program looks like.
#include <packice/client.h>

#include <iostream>

namespace {

absl::Status Run() {
  auto client = packice::Connect("");
  if (!client.ok()) return client.status();
  auto id = (*client)->Put("greeting", "hello from packice");
  if (!id.ok()) return id.status();
  auto reader = (*client)->Get("greeting");
  if (!reader.ok()) return reader.status();
  auto bytes = reader->View();
  if (!bytes.ok()) return bytes.status();
  std::cout << *bytes << "\n";
  return absl::OkStatus();
}

}  // namespace

int main() {
  const absl::Status status = Run();
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}
