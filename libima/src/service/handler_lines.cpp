#include "service/handler_lines.hpp"

#include "delivery/grammar.hpp"
#include "service/exit_status.hpp"
#include "wire/words.hpp"

#include <variant>

namespace ima::service {

using delivery::header_answer;
using delivery::outcome;
using delivery::reason;
using delivery::verdict;
namespace grammar = delivery::grammar;

namespace {

constexpr std::size_t longest = 1024;

}  // namespace

void pass_on(std::string_view line, delivery::reply_sink& sink) {
  const std::string clean = wire::clean_text(line, longest);
  const auto reply = grammar::parse_reply(clean);
  const auto* const said = reply ? std::get_if<grammar::recipient_line>(&*reply) : nullptr;
  const auto* const note = reply ? std::get_if<grammar::note_line>(&*reply) : nullptr;
  if (said != nullptr)
    sink.result({said->recipient, said->what, std::string(said->text)});
  else
    sink.note(note != nullptr ? note->text : std::string_view(clean));
}

delivery::final_answer final_answer_of(const command_end& end) {
  switch (end.status) {
    case exit_status::ok:
      return {verdict::ok, false};
    case exit_status::failed:
      return {verdict::fail, false};
    case exit_status::mixed:
      return {verdict::partial, false};
    case exit_status::drop:
      return {verdict::defer, true};
    default:
      return {verdict::defer, false};
  }
}

check_lines::check_lines(const std::vector<address>& recipients) {
  for (const address& a : recipients) silent_.insert(a.key());
}

// Whatever is not of the header stage says nothing, and so does a second line about somebody.
void check_lines::add(std::string_view line) {
  const std::string clean = wire::clean_text(line, longest);
  const auto reply = grammar::parse_reply(clean);
  if (!reply) return;
  if (const auto* r = std::get_if<grammar::recipient_line>(&*reply)) {
    const bool ours = r->what == outcome::ok || r->what == outcome::no_recipient;
    if (!ours || silent_.erase(r->recipient.key()) == 0) return;
    (r->what == outcome::ok ? said_.already : said_.unknown).push_back(r->recipient);
  } else if (const auto* no = std::get_if<grammar::refusal_line>(&*reply)) {
    why_ = delivery::reason_from(no->word);
    said_.text = no->text;
  }
}

// The word says why, and the exit code what: together they must be an answer of this stage.
header_answer check_lines::answer(const command_end& end) const {
  using kind = header_answer::kind;
  const bool for_good = end.status == exit_status::failed;
  const bool by_policy = for_good || end.status == exit_status::deferred;
  header_answer answer = said_;
  answer.why = by_policy ? reason::policy : reason::internal;
  if (why_ && delivery::may_refuse(*why_, for_good)) answer.why = *why_;
  if (end.status == exit_status::drop) {
    answer.what = kind::drop;
  } else if (!answer.unknown.empty()) {
    answer.what = kind::reject;
    answer.why = reason::recipients;
  } else if (for_good) {
    answer.what = kind::reject;
  } else if (end.status == exit_status::ok) {
    answer.what = silent_.empty() ? kind::verdict : kind::accept;
    answer.final_verdict = verdict::ok;
  }
  return answer;
}

}  // namespace ima::service
