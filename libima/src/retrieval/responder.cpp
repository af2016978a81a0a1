#include "retrieval/responder_state.hpp"
#include "support/try.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace ima::retrieval {

namespace {

constexpr std::size_t piece_size = 64 * 1024;
constexpr std::uint64_t slice_of_page = 500;  // so many changes are in memory at a time

constexpr std::string_view public_text(reason why) noexcept {
  return why == reason::storage ? "the message store fails at the moment"
                                : "an internal fault; try again later";
}

// Where there is not one answer for each message, nobody knows whose they are.
result<void> check_one_for_each(std::size_t answers, const std::vector<std::string>& ids) {
  if (answers == ids.size()) return {};
  return error{fault::caller, "out-of-turn", "",
               fmt::format("the back end gave {} answers for {} messages", answers, ids.size())};
}

// What the client is told. Only refusals speak to him: a store's own text may name paths.
result<void> tell(server& session, const error& why) {
  const reason word = reason_for(why);
  const bool hidden = word == reason::storage || word == reason::internal;
  return session.fail(word, hidden ? public_text(word) : std::string_view(why.text));
}

}  // namespace

result<void> responder::state::answer(request::authenticate& r) {
  if (!r.password && !facts) return refusal(reason::auth, "no client certificate was shown");
  IMA_TRY(found, r.password ? users.by_password(r.user, r.password->view())
                            : users.by_certificate(r.user, *facts));
  mail = std::move(found);
  user = r.user;
  finished = true;
  return session.authenticated();
}

result<void> responder::state::answer(request::folders&) {
  IMA_TRY(list, mail->folders());
  for (const folder_info& f : list) IMA_CHECK(session.folder(f));
  finished = true;
  return session.ok();
}

result<void> responder::state::answer(request::status& r) {
  IMA_TRY(status, mail->status(r.folder));
  finished = true;
  return session.ok(status);
}

result<void> responder::state::answer(request::changes& r) {
  while (!session.output_full()) {
    IMA_TRY(slice, mail->changes(r.folder, r.token, std::min(r.page, slice_of_page)));
    for (const change& c : slice.changes) IMA_CHECK(session.change_line(c));
    r.page -= std::min<std::uint64_t>(r.page, slice.changes.size());
    finished = !slice.more || r.page == 0 || slice.changes.empty();
    if (finished) return session.ok(slice.token, slice.more);
    r.token = std::move(slice.token);
  }
  return {};
}

result<void> responder::state::answer(request::headers& r) {
  while (next_id < r.ids.size()) {
    if (session.output_full()) return {};
    const std::string& id = r.ids[next_id++];
    IMA_TRY(stored, mail->header(r.folder, id));
    IMA_CHECK(stored ? session.header(id, *stored) : session.gone(id));
  }
  finished = true;
  return session.ok();
}

result<void> responder::state::answer(request::fetch& r) {
  if (!range) IMA_CHECK(begin_part(r));
  return continue_part();
}

result<void> responder::state::begin_part(const request::fetch& r) {
  IMA_TRY(source, mail->open_part(r.folder, r.id, r.part));
  const std::uint64_t size = source->size();
  if (r.offset > size) return refusal(reason::range, fmt::format("the part has {} octets", size));
  const std::uint64_t length = std::min(r.length.value_or(size), size - r.offset);
  IMA_CHECK(session.part_begin(r.offset, length));
  range = part_range{std::move(source), r.offset, r.offset + length};
  return {};
}

// An error here comes after PART: the client can only learn of it by the connection's end.
result<void> responder::state::continue_part() {
  std::vector<char> piece(
      static_cast<std::size_t>(std::min<std::uint64_t>(piece_size, range->end - range->at)));
  while (range->at < range->end) {
    if (session.output_full()) return {};
    const auto want =
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), range->end - range->at));
    IMA_TRY(got, range->source->read_at(range->at, std::span(piece.data(), want)));
    if (got == 0) return error{fault::temporary, "part-short", "", "the stored part is too short"};
    IMA_CHECK(session.part_octets(octets(piece.data(), got)));
    range->at += got;
  }
  finished = true;
  return session.ok();
}

result<void> responder::state::answer(request::flag& r) {
  IMA_TRY(outcomes, mail->flag(r.folder, r.ids, r.what));
  return report(r.ids, outcomes);
}

result<void> responder::state::answer(request::remove& r) {
  IMA_TRY(outcomes, mail->remove(r.folder, r.ids));
  return report(r.ids, outcomes);
}

result<void> responder::state::answer(request::move& r) {
  IMA_TRY(outcomes, mail->move(r.folder, r.target, r.ids));
  return report(r.ids, outcomes);
}

result<void> responder::state::answer(request::copy& r) {
  IMA_TRY(copies, mail->copy(r.folder, r.target, r.ids));
  IMA_CHECK(check_one_for_each(copies.size(), r.ids));
  for (std::size_t i = 0; i < copies.size(); ++i)
    IMA_CHECK(copies[i].empty() ? session.gone(r.ids[i]) : session.copied(r.ids[i], copies[i]));
  finished = true;
  return session.ok();
}

result<void> responder::state::report(const std::vector<std::string>& ids,
                                      const std::vector<message_outcome>& outcomes) {
  IMA_CHECK(check_one_for_each(outcomes.size(), ids));
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i] == message_outcome::gone) IMA_CHECK(session.gone(ids[i]));
    if (outcomes[i] == message_outcome::changed) IMA_CHECK(session.changed(ids[i]));
  }
  finished = true;
  return session.ok();
}

result<void> responder::state::answer(request::create_folder& r) {
  IMA_CHECK(mail->create_folder(r.folder, r.role));
  finished = true;
  return session.ok();
}

result<void> responder::state::answer(request::rename_folder& r) {
  IMA_CHECK(mail->rename_folder(r.folder, r.target));
  finished = true;
  return session.ok();
}

result<void> responder::state::answer(request::delete_folder& r) {
  IMA_CHECK(mail->delete_folder(r.folder));
  finished = true;
  return session.ok();
}

result<void> responder::state::answer(request::search& r) {
  IMA_TRY(page, mail->search(r.folder, r.cursor, r.page, r.query));
  for (const std::string& id : page.ids) IMA_CHECK(session.found(id));
  finished = true;
  return session.ok_cursor(page.cursor);
}

result<void> responder::state::answer(request::quota&) {
  IMA_TRY(status, mail->quota());
  finished = true;
  return session.ok(status);
}

result<void> responder::state::answer(request::password& r) {
  IMA_CHECK(mail->change_password(r.old_password.view(), r.new_password.view()));
  finished = true;
  return session.ok();
}

result<void> responder::state::answer(request::watch& r) {
  if (!hooks.changed) return refusal(reason::unsupported, "nobody passes on what is watched");
  watched.reset();
  if (!r.folders.empty()) {
    IMA_TRY(made, mail->watch(
                      r.folders, hooks.changed, hooks.over ? hooks.over : [] {}));
    watched = std::move(made);
  }
  finished = true;
  return session.ok();
}

result<void> responder::state::answer(request::queue&) {
  IMA_TRY(list, mail->queue());
  for (const queued_message& m : list) IMA_CHECK(session.queued(m));
  finished = true;
  return session.ok();
}

// Ends the request where it is answered or failed; what failed is for the log.
std::optional<error> responder::state::settle(result<void> outcome) {
  std::optional<error> failed;
  if (!outcome) {
    failed = std::move(outcome).error();
    const auto told = range ? session.part_broken(*failed) : tell(session, *failed);
    if (!told) failed = told.error();
    finished = true;
  }
  if (finished) {
    request.reset();
    range.reset();
    message.reset();
    next_id = 0;
  }
  return failed;
}

std::optional<error> responder::state::dismiss() {
  error why{fault::refused, "dismissed", user, "the user was removed, or his proof counts no more"};
  if (const auto told = session.dismiss(why.text); !told) why = told.error();
  request.reset();
  watched.reset();
  return why;
}

responder::responder(server& session, authenticator& users, std::optional<certificate_facts> facts,
                     responder_hooks hooks)
    : state_(new state(session, users, std::move(facts), std::move(hooks))) {}
responder::responder(responder&&) noexcept = default;
responder& responder::operator=(responder&&) noexcept = default;
responder::~responder() = default;

result<void> responder::begin(any_request request) {
  if (busy()) return error{fault::caller, "out-of-turn", "", "a request is in hand"};
  state_->finished = false;
  state_->fresh = true;
  state_->request = std::move(request);
  return {};
}

std::optional<error> responder::work() {
  if (!can_work()) return std::nullopt;
  const bool fresh = std::exchange(state_->fresh, false);
  if (fresh && state_->mail && !state_->mail->may_go_on()) return state_->dismiss();
  return state_->settle(
      std::visit([this](auto& r) { return state_->answer(r); }, *state_->request));
}

bool responder::busy() const noexcept { return state_->request.has_value(); }

bool responder::can_work() const noexcept {
  const auto& message = state_->message;
  return busy() && (!message || !message->piece.empty() || message->end);
}

bool responder::will_send() const noexcept {
  const auto& message = state_->message;
  return can_work() && message && message->outbound && message->end && !message->sent;
}

std::string_view responder::user() const noexcept { return state_->user; }

}  // namespace ima::retrieval
