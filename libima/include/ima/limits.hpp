#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace ima {

/// Every limit of the library, in one place; each has its default here and may be set by the
/// caller. Sizes are in octets. A value equal to the limit is allowed, one more is not. A value; a
/// call or an object that is given limits keeps a copy.
/// (Specification: docs/message.md section 7, docs/delivery.md section 9, docs/retrieval.md
/// section 9, docs/translation.md section 1.)
struct limits {
  // Message (docs/message.md).
  std::size_t header_line = 8192;         ///< One header line with its LF.
  std::size_t header_block = 256 * 1024;  ///< The header block with its blank line.
  std::size_t parts = 1000;               ///< `part:` lines.
  std::size_t recipients = 1000;          ///< Lines that name a recipient (to, cc, bcc, for).
  std::size_t received = 50;              ///< `received:` lines; more is a loop.
  std::uint64_t body = 100ULL << 20;      ///< Sum of all parts.

  // Mail of the Internet (docs/translation.md section 1).
  std::uint64_t stream = 1ULL << 30;  ///< Mail that is put aside, as it comes from no file.

  // Both protocols (docs/delivery.md section 2).
  std::size_t wire_line = 4096;  ///< One protocol line with its LF (IMDP, and IMRP replies).
  std::size_t request_line = 128 * 1024;  ///< One IMRP request line, which may name many messages.
  std::size_t pending_output =
      256 * 1024;  ///< Output a session lets wait before it takes new input.

  // Delivery (docs/delivery.md section 9).
  std::size_t offers = 1000;  ///< Messages offered over one connection; then it is closed.
  std::size_t offered_recipients = 10'000;  ///< Recipients of these together, likewise.
  std::size_t notes = 100;  ///< `NOTE` lines about one message; more of them are left out.

  // Retrieval (docs/retrieval.md).
  std::size_t password = 1024;       ///< Octets of a password.
  std::size_t auth_failures = 3;     ///< Failed proofs before the server closes.
  std::uint64_t page = 10'000;       ///< Lines in one page of CHANGES; more is cut to this.
  std::uint64_t folders = 10'000;    ///< Folders of a mailbox.
  std::size_t watched = 64;          ///< Folders in one WATCH.
  std::uint64_t queued = 10'000;     ///< Lines of QUEUE.
  std::size_t outstanding = 10'000;  ///< Requests a client session keeps without answers.

  // Deadlines; the caller of a session owns the clock.
  std::chrono::milliseconds connect{15'000};        ///< All addresses of one host; TCP alone.
  std::chrono::milliseconds handshake{10'000};      ///< TCP accepted or connected to TLS finished.
  std::chrono::milliseconds line{60'000};           ///< Waiting for the peer's next line.
  std::chrono::milliseconds idle{300'000};          ///< Between messages or requests.
  std::chrono::milliseconds watching{1'800'000};    ///< Between requests while a WATCH is on.
  std::chrono::milliseconds accept_lapse{60'000};   ///< How long an ACCEPT stays good.
  std::chrono::milliseconds verdict{600'000};       ///< A sender's patience after the body.
  std::chrono::milliseconds connection{3'600'000};  ///< Age of a connection; sending a body.
  std::chrono::milliseconds stopping{60'000};       ///< For what is in hand when a server stops.
  std::chrono::milliseconds body_grace{30'000};     ///< Before the minimum body rate counts.
  std::uint64_t body_rate = 1024;                   ///< Minimum octets per second of a body.
};

}  // namespace ima
