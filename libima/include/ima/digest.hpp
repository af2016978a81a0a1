#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ima {

/// A SHA-256 value: of a part, or of a message's header block (docs/message.md section 6). A value,
/// all zeros where nothing is said; ordered as its octets are.
class IMA_API digest {
 public:
  /// SHA-256's octets.
  using value_type = std::array<std::uint8_t, 32>;

  digest() = default;
  /// A digest whose octets are known.
  explicit digest(const value_type& value) : value_(value) {}

  /// Reads 64 lower-case hexadecimal digits. Error: fault::peer, rule `digest-syntax`.
  static result<digest> parse(std::string_view hex);

  /// SHA-256 of `data`.
  static digest of(octets data);

  /// Its 32 octets.
  const value_type& value() const noexcept { return value_; }
  /// 64 lower-case hexadecimal digits.
  std::string hex() const;

  friend bool operator==(const digest&, const digest&) = default;
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 reads the comparison with 0 inside it.
  friend auto operator<=>(const digest&, const digest&) = default;

 private:
  value_type value_{};
};

/// Computes a SHA-256 over octets given piece by piece, which are not kept. Not thread-safe;
/// movable. Where OpenSSL cannot compute one, for want of memory, the program is aborted.
class IMA_API hasher {
 public:
  hasher();
  hasher(hasher&&) noexcept;
  hasher& operator=(hasher&&) noexcept;
  ~hasher();

  /// Takes the next octets.
  void update(octets data);
  /// Returns the digest and starts afresh.
  digest finish();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace ima
