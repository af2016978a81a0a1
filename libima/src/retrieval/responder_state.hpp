#pragma once

#include <ima/message.hpp>
#include <ima/retrieval/responder.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ima::retrieval {

/// The octets of a FETCH that are still to be given.
struct part_range {
  std::unique_ptr<part_source> source;
  std::uint64_t at = 0;
  std::uint64_t end = 0;
};

/// A message that APPEND or SEND brings: which of its parts are here already, and where its slices
/// go.
struct incoming_message {
  header_block header;
  body_reader body;
  std::vector<std::unique_ptr<part_source>> had;  // by part; null: the client sends it
  std::unique_ptr<message_sink> sink;             // APPEND
  std::unique_ptr<submission> outbound;           // SEND
  std::size_t part = 0;                           // the part whose octets come next
  std::string piece;                              // of the client's, not yet written
  std::optional<body_end> end;
  std::optional<send_end> sent;  // everything is known; OK is to be said

  explicit incoming_message(header_block h) : header(h), body(std::move(h)) {}
  result<void> write(const part_slice& slice) {
    return sink ? sink->write(slice) : outbound->write(slice);
  }
  std::uint64_t uploaded() const;
};

struct responder::state {
  state(server& s, authenticator& u, std::optional<certificate_facts> f, responder_hooks h)
      : session(s), users(u), facts(std::move(f)), hooks(std::move(h)) {}

  result<void> answer(request::authenticate& r);
  result<void> answer(request::folders& r);
  result<void> answer(request::status& r);
  result<void> answer(request::changes& r);
  result<void> answer(request::headers& r);
  result<void> answer(request::fetch& r);
  result<void> answer(request::flag& r);
  result<void> answer(request::remove& r);
  result<void> answer(request::move& r);
  result<void> answer(request::copy& r);
  result<void> answer(request::create_folder& r);
  result<void> answer(request::rename_folder& r);
  result<void> answer(request::delete_folder& r);
  result<void> answer(request::search& r);
  result<void> answer(request::quota& r);
  result<void> answer(request::password& r);
  result<void> answer(request::watch& r);
  result<void> answer(request::queue& r);

  result<void> begin_part(const request::fetch& r);
  result<void> continue_part();
  result<void> report(const std::vector<std::string>& ids,
                      const std::vector<message_outcome>& outcomes);

  // Messages that come from the client, in responder_messages.cpp.
  result<void> answer(request::append& r);
  result<void> answer(request::send& r);
  result<header_block> read_block(octets block) const;
  result<void> open_references(const send_options& options);
  result<void> check_reference(const part_reference& p);
  result<void> tell_known(const submission::report& known);
  result<void> take_in();
  result<void> write_from(octets& input);
  result<void> write_had_parts();
  result<void> write_had_part(part_source& source);
  result<bool> body_is_whole();
  result<void> finish_append();
  result<void> finish_send();

  std::optional<error> settle(result<void> outcome);
  std::optional<error> dismiss();

  server& session;
  authenticator& users;
  std::optional<certificate_facts> facts;
  responder_hooks hooks;
  std::unique_ptr<account> mail;
  std::unique_ptr<subscription> watched;  // before the account goes
  std::string user;
  std::optional<any_request> request;
  std::size_t next_id = 0;
  std::optional<part_range> range;
  std::optional<incoming_message> message;
  bool fresh = false;  // nothing was done for the request yet
  bool finished = false;
};

}  // namespace ima::retrieval
