#include <ima/digest.hpp>

#include <openssl/evp.h>

#include <cstdlib>
#include <utility>

namespace ima {
namespace {

// SHA-256 in OpenSSL fails only where memory does or the library is broken; neither leaves a digest
// that anybody could use, so it ends the program as an allocation failure would.
void require(int ok) {
  if (ok != 1) std::abort();
}

int nibble(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

result<digest> digest::parse(std::string_view hex) {
  const error bad{fault::peer, "digest-syntax", "", "not 64 lower-case hexadecimal digits"};
  value_type value{};
  if (hex.size() != 2 * value.size()) return bad;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const int high = nibble(hex[2 * i]);
    const int low = nibble(hex[2 * i + 1]);
    if (high < 0 || low < 0) return bad;
    value[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return digest(value);
}

digest digest::of(octets data) {
  hasher h;
  h.update(data);
  return h.finish();
}

std::string digest::hex() const {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * value_.size());
  for (const std::uint8_t octet : value_) {
    out += digits[octet >> 4U];
    out += digits[octet & 15U];
  }
  return out;
}

struct hasher::state {
  struct freer {
    void operator()(EVP_MD_CTX* c) const { EVP_MD_CTX_free(c); }
  };
  std::unique_ptr<EVP_MD_CTX, freer> context{EVP_MD_CTX_new()};

  // Fetching the algorithm costs more than hashing a small part, so it is fetched once.
  static const EVP_MD* sha256() {
    static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    return algorithm;
  }
  void start() { require(EVP_DigestInit_ex2(context.get(), sha256(), nullptr)); }
};

hasher::hasher() : state_(std::make_unique<state>()) { state_->start(); }
hasher::hasher(hasher&&) noexcept = default;
hasher& hasher::operator=(hasher&&) noexcept = default;
hasher::~hasher() = default;

void hasher::update(octets data) {
  require(EVP_DigestUpdate(state_->context.get(), data.data(), data.size()));
}

digest hasher::finish() {
  digest::value_type value{};
  require(EVP_DigestFinal_ex(state_->context.get(), value.data(), nullptr));
  state_->start();
  return digest(value);
}

}  // namespace ima
