#include "retrieval/client_state.hpp"
#include "retrieval/request_grammar.hpp"
#include "support/try.hpp"

#include <fmt/format.h>

#include <utility>

// What the user's program asks becomes octets.

namespace ima::retrieval {

namespace {

error bad_argument(error why) {
  why.kind = fault::caller;
  return why;
}

// Octets of the parts that go over the wire, or an error where a reference names no part.
result<std::uint64_t> uploaded(const send_options& options, const header_block& header) {
  std::uint64_t size = header.body_size();
  for (const part_reference& p : options.parts) {
    if (p.part == 0 || p.part > header.parts().size())
      return error{fault::caller, "part", "", "the message has no such part"};
    size -= header.parts()[static_cast<std::size_t>(p.part - 1)].size;
  }
  return size;
}

constexpr std::uint64_t most_notes = 1000;

}  // namespace

result<void> client::state::ask(std::string_view line, asked request) {
  if (said_done) return error{fault::caller, "out-of-turn", "", "a request after done()"};
  if (body) return error{fault::caller, "out-of-turn", "", "the body of a message is due"};
  if (outstanding.size() >= options.bounds.outstanding)
    return error{fault::caller, "out-of-turn", "", "too many requests without an answer"};
  if (line.size() >= options.bounds.request_line)
    return error{fault::caller, "request-length", "", "the request names too many messages"};
  output.line(line);
  outstanding.push_back(std::move(request));
  return {};
}

result<void> client::state::ask_for_ids(command c, std::string_view folder,
                                        std::optional<std::string_view> target,
                                        std::span<const std::string> ids) {
  IMA_TRY(text, write_ids_request(c, folder, target, ids));
  asked request{c};
  request.ids.assign(ids.begin(), ids.end());
  return ask(text, std::move(request));
}

result<void> client::state::offer(std::string_view line, asked request, const header_block& header,
                                  std::uint64_t body_size) {
  IMA_CHECK(ask(line, std::move(request)));
  output.raw(header.text());
  body = body_due{body_size};
  return {};
}

client::client(client_options options) : state_(std::make_unique<state>(std::move(options))) {}
client::client(client&&) noexcept = default;
client& client::operator=(client&&) noexcept = default;
client::~client() = default;

result<void> client::authenticate(std::string_view user, octets password) {
  if (auto good = check_user(user); !good) return bad_argument(std::move(good).error());
  if (password.size() > state_->options.bounds.password)
    return error{fault::caller, "request-length", "", "the password is too long"};
  IMA_CHECK(
      state_->ask(fmt::format("AUTH {} PASSWORD {}", user, password.size()), asked{command::auth}));
  state_->output.raw(password);
  return {};
}

result<void> client::authenticate(std::string_view user) {
  if (auto good = check_user(user); !good) return bad_argument(std::move(good).error());
  return state_->ask(fmt::format("AUTH {} CERTIFICATE", user), asked{command::auth});
}

result<void> client::folders() {
  asked request{command::folders};
  request.lines_left = state_->options.bounds.folders;
  return state_->ask("FOLDERS", std::move(request));
}

result<void> client::status(std::string_view folder) {
  if (auto good = check_folder(folder); !good) return bad_argument(std::move(good).error());
  return state_->ask(fmt::format("STATUS {}", folder_to_wire(folder)), asked{command::status});
}

result<void> client::changes(std::string_view folder, std::string_view token, std::uint64_t page) {
  if (auto good = check_folder(folder); !good) return bad_argument(std::move(good).error());
  if (auto good = check_token(token); !good) return bad_argument(std::move(good).error());
  if (page == 0) return error{fault::caller, "page", "", "the page size is 0"};
  asked request{command::changes};
  request.lines_left = page;
  return state_->ask(fmt::format("CHANGES {} {} {}", folder_to_wire(folder), token, page),
                     std::move(request));
}

result<void> client::headers(std::string_view folder, std::span<const std::string> ids) {
  return state_->ask_for_ids(command::headers, folder, {}, ids);
}

result<void> client::fetch(std::string_view folder, std::string_view id, std::uint64_t part,
                           std::uint64_t offset, std::optional<std::uint64_t> length) {
  asked request{command::fetch, {std::string(id)}};
  IMA_TRY(text, write_ids_request(command::fetch, folder, {}, request.ids));
  if (part == 0) return error{fault::caller, "part", "", "parts count from 1"};
  text += fmt::format(" {}", part);
  // A range is written in full; to the end of the part is the largest length there is.
  if (offset != 0 || length) text += fmt::format(" {} {}", offset, length.value_or(UINT64_MAX));
  request.part = part;
  request.offset = offset;
  request.length = length;
  return state_->ask(text, std::move(request));
}

result<void> client::flag(std::string_view folder, std::span<const std::string> ids,
                          const flag_change& what) {
  IMA_TRY(text, write_ids_request(command::flag, folder, {}, ids));
  IMA_CHECK(append_flag_change(text, what));
  asked request{command::flag};
  request.ids.assign(ids.begin(), ids.end());
  return state_->ask(text, std::move(request));
}

result<void> client::remove(std::string_view folder, std::span<const std::string> ids) {
  return state_->ask_for_ids(command::remove, folder, {}, ids);
}

result<void> client::move(std::string_view folder, std::string_view target,
                          std::span<const std::string> ids) {
  return state_->ask_for_ids(command::move, folder, target, ids);
}

result<void> client::copy(std::string_view folder, std::string_view target,
                          std::span<const std::string> ids) {
  return state_->ask_for_ids(command::copy, folder, target, ids);
}

result<void> client::create_folder(std::string_view folder, std::string_view role) {
  if (auto good = check_folder(folder); !good) return bad_argument(std::move(good).error());
  if (!role.empty() && !is_role(role)) return error{fault::caller, "option", "", "not a role"};
  std::string line = fmt::format("CREATE-FOLDER {}", folder_to_wire(folder));
  if (!role.empty()) line += fmt::format(" {}", role);
  return state_->ask(line, asked{command::create_folder});
}

result<void> client::rename_folder(std::string_view folder, std::string_view target) {
  if (auto good = check_folder(folder); !good) return bad_argument(std::move(good).error());
  if (auto good = check_folder(target); !good) return bad_argument(std::move(good).error());
  return state_->ask(
      fmt::format("RENAME-FOLDER {} {}", folder_to_wire(folder), folder_to_wire(target)),
      asked{command::rename_folder});
}

result<void> client::delete_folder(std::string_view folder) {
  if (auto good = check_folder(folder); !good) return bad_argument(std::move(good).error());
  return state_->ask(fmt::format("DELETE-FOLDER {}", folder_to_wire(folder)),
                     asked{command::delete_folder});
}

result<void> client::search(std::string_view folder, std::string_view cursor, std::uint64_t page,
                            const search_query& query) {
  IMA_TRY(line, write_search(folder, cursor, page, query));
  asked request{command::search};
  request.lines_left = page;
  return state_->ask(line, std::move(request));
}

result<void> client::quota() { return state_->ask("QUOTA", asked{command::quota}); }

result<void> client::change_password(octets old_password, octets new_password) {
  const std::size_t most = state_->options.bounds.password;
  if (old_password.size() > most || new_password.size() > most)
    return error{fault::caller, "request-length", "", "the password is too long"};
  IMA_CHECK(state_->ask(fmt::format("PASSWORD {} {}", old_password.size(), new_password.size()),
                        asked{command::password}));
  state_->output.raw(old_password);
  state_->output.raw(new_password);
  return {};
}

result<void> client::watch(std::span<const watched_folder> folders) {
  IMA_TRY(line, write_watch(folders));
  asked request{command::watch};
  request.watches = !folders.empty();
  return state_->ask(line, std::move(request));
}

result<void> client::queue() {
  asked request{command::queue};
  request.lines_left = state_->options.bounds.queued;
  return state_->ask("QUEUE", std::move(request));
}

result<void> client::append(const append_target& what, const header_block& header) {
  IMA_TRY(line, write_append(what, header.size()));
  return state_->offer(line, asked{command::append}, header, header.body_size());
}

result<void> client::send(const send_options& options, const header_block& header) {
  IMA_TRY(line, write_send(options, header.size()));
  IMA_TRY(size, uploaded(options, header));
  asked request{command::send};
  request.lines_left = most_notes;
  for (const address& recipient : header.recipients()) request.recipients.insert(recipient.key());
  return state_->offer(line, std::move(request), header, size);
}

std::uint64_t client::body_left() const noexcept { return state_->body ? state_->body->left : 0; }

result<void> client::body(octets piece) {
  auto& due = state_->body;
  if (!due) return error{fault::caller, "out-of-turn", "", "no body is due"};
  if (piece.size() > due->left)
    return error{fault::caller, "part-length", "", "more octets than were announced"};
  if (!std::exchange(due->begun, true)) state_->output.line(fmt::format("DATA {}", due->left));
  state_->output.raw(piece);
  due->left -= piece.size();
  if (due->left == 0) due.reset();
  return {};
}

result<void> client::cancel() {
  if (!state_->body || state_->body->begun)
    return error{fault::caller, "out-of-turn", "", "no body is due, or it is on its way"};
  state_->output.line("CANCEL");
  state_->body.reset();
  return {};
}

result<void> client::done() {
  if (state_->said_done) return error{fault::caller, "out-of-turn", "", "done() twice"};
  if (state_->body) return error{fault::caller, "out-of-turn", "", "the body of a message is due"};
  state_->output.line("DONE");
  state_->said_done = true;
  return {};
}

// What comes after an error is dropped: what was fed before may be gone.
void client::receive(octets input) {
  if (!state_->broken) state_->input.feed(input);
}
void client::receive_eof() { state_->input.finish(); }
result<client_event> client::next_event() { return state_->next(); }

octets client::pending_output() const noexcept { return state_->output.pending(); }
void client::sent(std::size_t count) { state_->output.sent(count); }
std::size_t client::outstanding() const noexcept { return state_->outstanding.size(); }

std::optional<std::chrono::milliseconds> client::timeout() const noexcept {
  if (state_->broken) return std::nullopt;
  if (!state_->greeted) return state_->options.bounds.line;
  if (state_->outstanding.empty() && !state_->said_done) return std::nullopt;
  if (state_->body) return std::nullopt;  // it is the post office that waits
  const bool sending =
      !state_->outstanding.empty() && state_->outstanding.front().what == command::send;
  return sending ? state_->options.bounds.verdict + state_->options.bounds.idle
                 : state_->options.bounds.idle;
}

}  // namespace ima::retrieval
