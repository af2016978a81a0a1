#pragma once

#include <ima/error.hpp>
#include <ima/export.hpp>
#include <ima/tls/context.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ima::tls {

/// What is known of the other side once the handshake is done.
struct peer_facts {
  std::optional<certificate_facts> certificate;  ///< None where an IMRP client showed none.
  bool chain_verified = false;                   ///< Against the stores of the context.
  std::optional<error> chain_problem;            ///< Why not, where an IMRP client showed a chain.
  /// Where it verified: the first end of validity in the chain, from the leaf to the authority.
  std::chrono::sys_seconds good_until{};
  std::string server_name;  ///< The hostpart the connection was opened for.
  std::string cipher;       ///< "TLSv1.3/TLS_AES_256_GCM_SHA384".
};

/// Whether the peer may act for `domain` in what begins at the moment `now`, asked again for each
/// message as a connection may outlive a certificate (docs/identity.md section 1): the chain has
/// verified and has not ended since, and its certificate proves the domain. Errors: fault::peer,
/// rules `certificate-chain`, `certificate-expired`, `identity`.
IMA_API result<void> vouches_for(const peer_facts& peer, std::string_view domain,
                                 std::chrono::sys_seconds now);

/// One TLS 1.3 connection without a socket: octets from the network in, octets for it out, with
/// exactly the verification of docs/identity.md. Not thread-safe; movable. After an error every
/// call returns the same error; pending_output() may still hold the alert that tells the peer.
class IMA_API engine {
 public:
  /// The connecting side. `hostpart` is named in SNI and must be proved by the server's
  /// certificate. `sender` chooses our certificate by the domain it proves; empty for none, which
  /// only IMRP allows. The engine keeps a copy of the context. Errors: fault::caller, rules
  /// `hostpart`, `no-certificate`; fault::temporary, rule `tls-handshake`, where there is no
  /// memory.
  static result<engine> client(const context& with, std::string_view hostpart,
                               std::string_view sender);
  /// The accepting side; our certificate is chosen by the client's SNI. Error: fault::temporary,
  /// rule `tls-handshake`, where there is no memory.
  static result<engine> server(const context& with);

  struct state;  ///< Opaque.

  engine(engine&&) noexcept;
  engine& operator=(engine&&) noexcept;
  ~engine();

  /// Gives octets from the network. They must stay valid until read() of a size that is not 0
  /// returned 0, or an error. What comes after an error, or when closed(), is dropped.
  void receive(octets ciphertext);
  /// The network is at its end.
  void receive_eof();

  /// Goes on with the handshake, then decrypts up to `size` octets into `buffer` (with `size` 0
  /// only the former). 0 means that more is needed from the network, or that closed() is true.
  /// Errors: fault::peer, rules `tls-handshake`, `tls-version`, `tls-alpn`, `tls-sni`, `tls-alert`,
  /// `tls-flood`, `identity` and the `certificate-…` rules of docs/identity.md; fault::temporary,
  /// rule `tls-truncated`, where the stream ended without the peer's close.
  result<std::size_t> read(char* buffer, std::size_t size);
  /// Encrypts; all of it is taken. Error: fault::caller, rule `out-of-turn`, before the end of the
  /// handshake and after shutdown(); it changes nothing.
  result<void> write(octets plaintext);
  /// Says that we send no more (close_notify); the other side may go on.
  void shutdown();

  /// Octets for the network; valid until the next call of another member.
  octets pending_output() const noexcept;
  /// The first `count` octets of pending_output() have gone.
  void sent(std::size_t count);

  /// The peer is proved as far as docs/identity.md says; peer() is valid.
  bool handshake_done() const noexcept;
  /// The peer said that it sends no more.
  bool closed() const noexcept;
  /// Known once handshake_done(); lives as long as the engine, also where that is moved.
  const peer_facts& peer() const noexcept;

 private:
  explicit engine(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

}  // namespace ima::tls
