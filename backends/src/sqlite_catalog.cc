// Catalog over SQLite: a reader, and a writer behind a group commit.
#include <memory>
#include <utility>

#include "catalog_reader.h"
#include "catalog_schema.h"
#include "catalog_writer.h"
#include "group_commit.h"
#include "packice/backends/catalog.h"

namespace packice {
namespace {

class SqliteCatalog final : public Catalog {
 public:
  SqliteCatalog(const DataDirectory& directory, const Clock& clock, uint64_t boot,
                bool last_was_clean, std::unique_ptr<CatalogWriter> writer)
      : clock_(clock),
        boot_(boot),
        last_was_clean_(last_was_clean),
        reader_(directory),
        commits_(directory, std::move(writer)) {}

  absl::Status Connect() const { return reader_.Connect(); }

  uint64_t FirstSerial() const override { return boot_ << kSerialBits; }
  bool LastShutdownWasClean() const override { return last_was_clean_; }

  absl::Status Add(const CatalogEntry& entry, absl::Span<const PieceSums> sums) override {
    return commits_.Do([&](CatalogWriter& writer) { return writer.Add(entry, sums); });
  }
  absl::Status Remove(uint64_t serial) override {
    return commits_.Do([&](CatalogWriter& writer) { return writer.Remove(serial); });
  }
  absl::Status Rename(uint64_t serial, const ObjectId& to) override {
    return commits_.Do([&](CatalogWriter& writer) { return writer.Rename(serial, to.bytes()); });
  }
  absl::Status Quarantine(uint64_t serial, absl::string_view why) override {
    return commits_.Do(
        [&](CatalogWriter& writer) { return writer.Quarantine(serial, why, clock_.WallTime()); });
  }
  void Forget(const BlobName& name) override { commits_.Forget(name); }

  absl::Status ForEach(absl::FunctionRef<void(const CatalogEntry&)> visit) const override {
    return reader_.ForEach(visit);
  }
  absl::Status ForEachRemoved(absl::FunctionRef<void(const BlobName&)> visit) const override {
    return reader_.ForEachRemoved(visit);
  }
  absl::StatusOr<PieceSums> Sums(const BlobName& name) const override { return reader_.Sums(name); }
  absl::StatusOr<bool> Knows(const BlobName& name) const override { return reader_.Knows(name); }

  absl::Status CloseCleanly() override {
    return commits_.Close(
        [&](CatalogWriter& writer) { return writer.EndBoot(boot_, clock_.WallTime()); });
  }

 private:
  const Clock& clock_;
  const uint64_t boot_;
  const bool last_was_clean_;
  const CatalogReader reader_;
  GroupCommit commits_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Catalog>> Catalog::Open(const DataDirectory& directory,
                                                       const Clock& clock) {
  if (absl::Status status = MakeCatalogFile(directory); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<CatalogWriter>> writer = CatalogWriter::Open(directory);
  if (!writer.ok()) return writer.status();
  // What a crash left at the end of the log goes with it, so that fsck can tell later crashes'.
  if (absl::Status status = (*writer)->Checkpoint(/*truncate=*/true); !status.ok()) return status;
  uint64_t boot = 0;
  bool last_was_clean = true;
  if (absl::Status status = (*writer)->Begin(); !status.ok()) return status;
  absl::Status status = (*writer)->StartBoot(clock.WallTime(), &boot, &last_was_clean);
  if (!status.ok()) return status;
  if (status = (*writer)->Commit(); !status.ok()) return status;
  auto catalog =
      std::make_unique<SqliteCatalog>(directory, clock, boot, last_was_clean, *std::move(writer));
  if (status = catalog->Connect(); !status.ok()) return status;
  return catalog;
}

}  // namespace packice
