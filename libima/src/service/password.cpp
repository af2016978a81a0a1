#include "support/try.hpp"
#include "wire/words.hpp"

#include <ima/service/accounts.hpp>

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <bit>
#include <charconv>
#include <cstddef>

namespace ima::service {
namespace {

constexpr std::uint64_t most_memory = 256ULL << 20;
constexpr std::uint64_t most_p = 16;

error bad_form() {
  return {fault::caller, "password-hash", "", "not a password as 'ima-admin user add' keeps it"};
}

error no_work(std::string_view why) {
  return {fault::temporary, "password-work", "", std::string(why)};
}

result<void> check_cost(const scrypt_cost& cost) {
  // The bounds come first, so that the product cannot overflow.
  const bool good = std::has_single_bit(cost.n) && cost.n > 1 && cost.n <= most_memory &&
                    cost.r >= 1 && cost.r <= most_memory && cost.p >= 1 && cost.p <= most_p &&
                    cost.n <= most_memory / 128 / cost.r;
  if (good) return {};
  return error{fault::caller, "password-cost", "", "the costs are not scrypt's, or too high"};
}

template <class Number>
bool read_whole(std::string_view text, Number& number, int base) {
  const char* end = text.data() + text.size();
  const auto [stopped, failed] = std::from_chars(text.data(), end, number, base);
  return failed == std::errc() && stopped == end;
}

template <std::size_t Size>
bool read_hex(std::string_view text, std::array<std::uint8_t, Size>& into) {
  if (text.size() != 2 * Size) return false;
  for (std::size_t i = 0; i < Size; ++i)
    if (!read_whole(text.substr(2 * i, 2), into[i], 16)) return false;
  return true;
}

template <std::size_t Size>
std::string hex(const std::array<std::uint8_t, Size>& value) {
  std::string out;
  for (const std::uint8_t octet : value) out += fmt::format("{:02x}", octet);
  return out;
}

result<void> derive(octets password, const scrypt_cost& cost,
                    const std::array<std::uint8_t, 16>& salt, std::array<std::uint8_t, 32>& into) {
  const std::uint64_t memory = 2 * most_memory;  // what scrypt needs for itself comes on top
  if (EVP_PBE_scrypt(password.data(), password.size(), salt.data(), salt.size(), cost.n, cost.r,
                     cost.p, memory, into.data(), into.size()) == 1)
    return {};
  return no_work("there is no memory to hash a password");
}

}  // namespace

result<password_hash> password_hash::make(octets password, const scrypt_cost& cost) {
  IMA_CHECK(check_cost(cost));
  password_hash made;
  made.cost_ = cost;
  if (RAND_bytes(made.salt_.data(), static_cast<int>(made.salt_.size())) != 1)
    return no_work("the system has no random numbers");
  IMA_CHECK(derive(password, made.cost_, made.salt_, made.hash_));
  return made;
}

result<password_hash> password_hash::parse(std::string_view text) {
  password_hash read;
  const bool good = wire::take_up_to(text, '$') == "scrypt" &&
                    read_whole(wire::take_up_to(text, '$'), read.cost_.n, 10) &&
                    read_whole(wire::take_up_to(text, '$'), read.cost_.r, 10) &&
                    read_whole(wire::take_up_to(text, '$'), read.cost_.p, 10) &&
                    read_hex(wire::take_up_to(text, '$'), read.salt_) && read_hex(text, read.hash_);
  if (!good) return bad_form();
  IMA_CHECK(check_cost(read.cost_));
  return read;
}

std::string password_hash::text() const {
  return fmt::format("scrypt${}${}${}${}${}", cost_.n, cost_.r, cost_.p, hex(salt_), hex(hash_));
}

result<bool> password_hash::matches(octets password) const {
  std::array<std::uint8_t, 32> derived{};
  IMA_CHECK(derive(password, cost_, salt_, derived));
  const bool same = CRYPTO_memcmp(derived.data(), hash_.data(), hash_.size()) == 0;
  OPENSSL_cleanse(derived.data(), derived.size());
  return same;
}

bool password_hash::weaker_than(const scrypt_cost& cost) const noexcept {
  return cost_.n * cost_.r * cost_.p < cost.n * cost.r * cost.p;
}

}  // namespace ima::service
