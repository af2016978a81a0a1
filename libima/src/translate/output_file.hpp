#pragma once

#include "support/descriptor.hpp"

#include <ima/error.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace ima::translate {

/// A new file, or standard output, that is written from front to end. A file has its name when it
/// is finished, and is "NAME.ima-part" before. One that is not finished goes away, and where the
/// program ended at once, the next one that writes it removes it.
class output_file {
 public:
  /// "-" is standard output. Errors: fault::caller `output-exists`; fault::temporary `output`, also
  /// where another program is writing it.
  static result<output_file> open(const std::string& path);
  output_file(output_file&&) noexcept = default;
  output_file& operator=(output_file&&) = delete;
  ~output_file();

  result<void> write(octets text);
  /// Octets that were written.
  std::uint64_t size() const noexcept { return size_; }
  /// Takes back all but the first `size` octets. False for standard output, which keeps them.
  result<bool> cut(std::uint64_t size);
  /// What was written to a file, and its name, is on disk when this returns. Error also:
  /// fault::caller `output-exists`.
  result<void> finish();

 private:
  explicit output_file(std::string path) : path_(std::move(path)) {}
  std::string part() const { return path_ + ".ima-part"; }
  result<void> open_part();
  result<bool> create_part();
  result<void> remove_left_over() const;
  result<void> take_name() const;
  bool is_part(int fd) const;
  error failure() const;

  std::string path_;
  descriptor file_;
  std::uint64_t size_ = 0;
  bool named_ = false;  // nothing of it is to go away
};

}  // namespace ima::translate
