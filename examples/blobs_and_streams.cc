// An object of several blobs with metadata, standard streams, and what errors look like.
//
//   blobs_and_streams [SOCKET]     without a socket, the node is in this process
#include <packice/client.h>

#include <iostream>
#include <memory>
#include <string>

namespace {

// An index and its data as one object: they are created, evicted and deleted together.
absl::Status Write(packice::Client& client) {
  packice::CreateOptions options;
  options.sizes = {8, 5};
  options.metadata_json = R"({"kind": "index+data"})";
  absl::StatusOr<packice::Writer> writer = client.Create("example/pair", options);
  if (!writer.ok()) return writer.status();
  for (const auto& [blob, bytes] :
       {std::pair(size_t{0}, "0,5;5,0;"), std::pair(size_t{1}, "hello")}) {
    if (absl::Status status = writer->WriteAt(0, bytes, blob); !status.ok()) return status;
  }
  // Metadata may be completed when all is known.
  return writer->Seal(R"({"records": 2})");
}

absl::Status Read(packice::Client& client) {
  absl::StatusOr<packice::Reader> reader = client.Get("example/pair");
  if (!reader.ok()) return reader.status();
  std::cout << reader->metadata_json() << "\n";
  std::string entry;
  while (std::getline(reader->stream(), entry, ';')) std::cout << "entry " << entry << "\n";
  const absl::StatusOr<absl::string_view> data = reader->View(1);
  if (!data.ok()) return data.status();
  std::cout << "data " << *data << "\n";
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  absl::StatusOr<std::unique_ptr<packice::Client>> client =
      packice::Connect(argc > 1 ? argv[1] : "");
  absl::Status status = client.status();
  if (status.ok()) status = Write(**client);
  if (status.ok()) status = Read(**client);
  if (status.ok()) status = (*client)->Delete("example/pair");
  if (!status.ok()) {
    std::cerr << status.message() << "\n";
    return packice::InfoOf(packice::KindOf(status)).exit_code;
  }
  const absl::Status gone = (*client)->Get("example/pair").status();
  std::cout << "afterwards: " << packice::InfoOf(packice::KindOf(gone)).name << ": "
            << gone.message() << "\n";
  return packice::KindOf(gone) == packice::ErrorKind::kNotFound ? 0 : 1;
}
