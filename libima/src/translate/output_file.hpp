#pragma once

#include <ima/error.hpp>

#include <string>

namespace ima::translate {

/// A new file, or standard output, that is written from front to end. A file that is not finished
/// goes away.
class output_file {
 public:
  /// "-" is standard output. Errors: fault::caller `output-exists`; fault::temporary `output`.
  static result<output_file> open(const std::string& path);
  output_file(output_file&& other) noexcept;
  output_file& operator=(output_file&&) = delete;
  ~output_file();

  result<void> write(octets text);
  /// What was written to a file, and its name, is on disk when this returns.
  result<void> finish();

 private:
  output_file(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  error failure() const;

  std::string path_;
  int fd_;
  bool finished_ = false;
};

}  // namespace ima::translate
