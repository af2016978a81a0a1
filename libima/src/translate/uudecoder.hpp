#pragma once

#include <ima/error.hpp>

#include <string>
#include <string_view>

namespace ima::translate {

/// Undoes uuencode, piece by piece: the first file between a line `begin MODE NAME` and a line
/// `end`. The lines are those of uuencode in POSIX.
class uudecoder {
 public:
  /// Appends to `out`.
  void decode(octets in, std::string& out);
  void finish(std::string& out);
  /// False once something stood there that is not of the file, or the file is not whole; behind
  /// finish() also where no file came.
  bool clean() const noexcept { return clean_; }
  /// The name of the file, as it stands there; empty before it was read.
  std::string_view name() const noexcept { return name_; }

 private:
  enum class place { before, file, behind };

  void take(std::string_view line, std::string& out);
  void take_data(std::string_view line, std::string& out);

  place place_ = place::before;
  bool clean_ = true;
  std::string line_;  // not ended yet
  std::string name_;
};

}  // namespace ima::translate
