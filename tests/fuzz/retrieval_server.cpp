// Invariant: whatever octets a client sends, in whatever pieces, the server's session neither
// crashes nor grows without bound, every request it hands over holds only words that pass their own
// checks, every output line is well-formed, and after `closed` nothing but `closed` comes.

#include "require.hpp"

#include <ima/retrieval/server.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

using namespace ima;
using namespace ima::retrieval;

namespace {

// Answers each kind of request in the shortest legal way, so that later states are reached.
struct answer {
  server& session;

  void operator()(const request::authenticate& r) const {
    require(bool(check_user(r.user)));
    const bool proved = !r.password || r.password->view().size() % 2 == 1;
    require(bool(proved ? session.authenticated() : session.fail(reason::auth, r.user)));
  }
  void operator()(const request::folders&) const { require(bool(session.ok())); }
  void operator()(const request::status& r) const {
    require(bool(check_folder(r.folder)));
    require(bool(session.ok(folder_status{1, 1, 1, "1"})));
  }
  void operator()(const request::changes& r) const {
    require(bool(check_folder(r.folder)) && bool(check_token(r.token)) && r.page > 0);
    require(bool(session.ok("1", true)));
  }
  void operator()(const request::headers& r) const { all_gone(r.ids); }
  void operator()(const request::fetch& r) const {
    require(bool(check_id(r.id)) && r.part > 0);
    require(bool(session.part_begin(r.offset, 2)) && bool(session.part_octets("\n\r")));
    require(bool(session.ok()));
  }
  void operator()(const request::flag& r) const {
    for (const auto& flag : r.what.add) require(bool(check_flag(flag)));
    for (const auto& flag : r.what.remove) require(bool(check_flag(flag)));
    require(bool(session.ok()));
  }
  void operator()(const request::remove& r) const { all_gone(r.ids); }
  void operator()(const request::move& r) const { all_gone(r.ids); }
  void operator()(const request::copy& r) const { all_gone(r.ids); }

  void operator()(const request::create_folder& r) const {
    require(bool(check_folder(r.folder)) && (r.role.empty() || is_role(r.role)));
    require(bool(session.ok()));
  }
  void operator()(const request::rename_folder& r) const {
    require(bool(check_folder(r.folder)) && bool(check_folder(r.target)) && bool(session.ok()));
  }
  void operator()(const request::delete_folder& r) const {
    require(bool(check_folder(r.folder)) && bool(session.ok()));
  }
  // The length of the block decides: accepted with a body of so many octets, or refused.
  void operator()(const request::append& r) const {
    require(bool(check_folder(r.what.folder)));
    for (const auto& flag : r.what.flags) require(bool(check_flag(flag)));
    const bool good = r.block.size() % 2 == 0;
    require(bool(good ? session.accept(r.block.size()) : session.fail(reason::quota, r.block)));
  }
  void operator()(const request::send& r) const {
    for (const auto& p : r.options.parts) require(p.part > 0 && bool(check_id(p.from.id)));
    require(bool(session.accept(r.block.size())));
  }
  void operator()(const request::search& r) const {
    require(bool(check_folder(r.folder)) && r.page > 0);
    for (const auto& text : r.query.text) require(!text.empty());
    require(bool(session.found("a")) && bool(session.ok_cursor("1")));
  }
  void operator()(const request::quota&) const {
    require(bool(session.ok(quota_status{1, 2, 3, std::nullopt})));
  }
  void operator()(const request::password& r) const {
    require(r.old_password.view().size() <= 1024 && bool(session.ok()));
  }
  void operator()(const request::watch& r) const {
    require(bool(session.ok()));
    for (const auto& f : r.folders) session.event(f);
  }
  void operator()(const request::queue&) const { require(bool(session.ok())); }

  void all_gone(const std::vector<std::string>& ids) const {
    for (const auto& id : ids) require(bool(check_id(id)) && bool(session.gone(id)));
    require(bool(session.ok()));
  }
};

// It is not known here whether the message was one of APPEND or of SEND.
void finish_body(server& session, bool cancelled) {
  if (cancelled)
    require(bool(session.fail(reason::cancelled, "")));
  else
    require(session.ok_id("a") || session.ok(send_end{}));
}

// Runs the session until it waits; false when it is closed.
bool run(server& session) {
  for (;;) {
    session.sent(session.pending_output().size());
    auto event = session.next_event();
    require(bool(event));
    if (std::holds_alternative<closed>(*event)) return false;
    if (std::holds_alternative<need_input>(*event)) return true;
    if (const auto* request = std::get_if<any_request>(&*event))
      std::visit(answer{session}, *request);
    if (const auto* end = std::get_if<body_end>(&*event)) finish_body(session, end->cancelled);
  }
}

}  // namespace

// The first octet says how long the pieces are.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  limits bounds;
  bounds.wire_line = 256;
  bounds.request_line = 1024;
  server session({"b.example", bounds, {}});
  const std::size_t piece_size = std::size_t{1} + bytes[0];
  std::string input(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  bool open = true;
  for (std::size_t at = 0; at < input.size() && open; at += piece_size) {
    const std::string piece = input.substr(at, piece_size);  // so that a stale view is found
    session.receive(piece);
    open = run(session);
  }
  session.receive_eof();
  require(!run(session));
  require(!run(session));
  return 0;
}
