#pragma once

#include <ima/body_source.hpp>
#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/limits.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace ima::translate {

/// A file of Internet mail, or a stream of it that is put aside on disk first. Movable; not
/// thread-safe.
class IMA_API mail_file : public body_source {
 public:
  /// "-" is standard input. With `dot_ends` a line of a single dot ends the mail, as in
  /// sendmail(8). Errors: fault::caller, rule `no-input`; fault::peer, rule `stream-size` (more
  /// than limits::stream from what is no file); fault::temporary, rule `storage`.
  static result<mail_file> open(const std::string& path, bool dot_ends = false,
                                const limits& bounds = {});
  mail_file(mail_file&&) noexcept;
  mail_file& operator=(mail_file&&) noexcept;
  ~mail_file() override;

  /// Octets, without the line that ended it.
  std::uint64_t size() const noexcept;
  result<void> read_at(std::uint64_t offset, char* buffer, std::size_t size) override;

 private:
  struct state;
  explicit mail_file(std::unique_ptr<state> s);
  result<void> end_at_dot();
  std::unique_ptr<state> state_;
};

}  // namespace ima::translate
