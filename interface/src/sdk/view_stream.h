// A std::istream over bytes in memory that somebody else keeps.
#pragma once

#include <istream>
#include <streambuf>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace packice::sdk {

class ViewBuffer final : public std::streambuf {
 public:
  explicit ViewBuffer(absl::string_view bytes);

 protected:
  pos_type seekoff(off_type offset, std::ios_base::seekdir from,
                   std::ios_base::openmode which) override;
  pos_type seekpos(pos_type position, std::ios_base::openmode which) override;
  std::streamsize showmanyc() override;
};

class ViewStream final : public std::istream {
 public:
  // Bad from the start when there is no view.
  explicit ViewStream(const absl::StatusOr<absl::string_view>& view);

 private:
  ViewBuffer buffer_;
};

}  // namespace packice::sdk
