#include "tls/engine_state.hpp"

#include <algorithm>
#include <cstring>

namespace ima::tls {
namespace {

engine::state* state_of(BIO* bio) { return static_cast<engine::state*>(BIO_get_data(bio)); }

int bio_read(BIO* bio, char* buffer, int size) {
  engine::state& s = *state_of(bio);
  BIO_clear_retry_flags(bio);
  const octets got = s.in.some(static_cast<std::uint64_t>(size));
  if (!got.empty()) {
    std::memcpy(buffer, got.data(), got.size());
    return static_cast<int>(got.size());
  }
  if (s.in.finished()) return 0;
  BIO_set_retry_read(bio);
  return -1;
}

int bio_write(BIO* bio, const char* from, int size) {
  BIO_clear_retry_flags(bio);
  state_of(bio)->out.raw(octets(from, static_cast<std::size_t>(size)));
  return size;
}

long bio_ctrl(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return state_of(bio)->in.at_end() ? 1 : 0;
  return 0;
}

const BIO_METHOD* bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* const m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ima");
    BIO_meth_set_read(m, bio_read);
    BIO_meth_set_write(m, bio_write);
    BIO_meth_set_ctrl(m, bio_ctrl);
    return m;
  }();
  return method;
}

}  // namespace

BIO* make_bio(engine::state& s) {
  BIO* const bio = BIO_new(bio_method());
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, &s);
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace ima::tls
