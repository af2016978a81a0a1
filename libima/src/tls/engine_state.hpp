#pragma once

#include "tls/context_content.hpp"
#include "wire/input.hpp"
#include "wire/output.hpp"

#include <ima/tls/engine.hpp>

#include <cstddef>
#include <optional>
#include <utility>

namespace ima::tls {

/// What an engine is made of; OpenSSL's callbacks find it again by state_of().
struct engine::state {
  context with;
  ssl_ptr ssl;
  bool serving = false;
  wire::input in{0};
  wire::output out;
  bool handshake_done = false;
  bool closed = false;
  std::size_t late_messages = 0;
  peer_facts peer;
  std::optional<error> found;   // what the verification found, for the error of the handshake
  std::optional<error> failed;  // after it every call fails

  explicit state(context c) : with(std::move(c)) {}

  result<void> handshake();
  void finish_handshake();
  result<std::size_t> decrypt(char* buffer, std::size_t size);
  error failure(int status);
  error fail(error why) {
    failed = std::move(why);
    in.drop();  // nobody reads it any more, and it is the caller's
    return *failed;
  }
};

engine::state& state_of(const SSL* ssl);

/// What OpenSSL reads from and writes to: the engine's own buffers. Input is read in place, without
/// the copy that a memory BIO would make. None if there is no memory.
BIO* make_bio(engine::state& s);

}  // namespace ima::tls
