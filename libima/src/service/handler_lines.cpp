#include "service/handler_lines.hpp"

#include "delivery/grammar.hpp"
#include "wire/words.hpp"

#include <algorithm>
#include <optional>
#include <variant>

namespace ima::service {

using delivery::header_answer;
using delivery::outcome;
using delivery::reason;
using delivery::verdict;
namespace grammar = delivery::grammar;

namespace {

constexpr std::size_t longest = 1024;
constexpr int exit_failed = 1;
constexpr int exit_mixed = 2;
constexpr int exit_drop = 3;
constexpr int exit_deferred = 75;

bool holds(const std::vector<address>& those, const address& one) {
  return std::find(those.begin(), those.end(), one) != those.end();
}

// Takes one line of a check command; whatever is not of the header stage says nothing.
void take_line(std::string_view line, header_answer& answer) {
  const std::string clean = wire::clean_text(line, longest);
  const auto reply = grammar::parse_reply(clean);
  if (!reply) return;
  if (const auto* r = std::get_if<grammar::recipient_line>(&*reply)) {
    if (r->what == outcome::ok) answer.already.push_back(r->recipient);
    if (r->what == outcome::no_recipient) answer.unknown.push_back(r->recipient);
  } else if (const auto* no = std::get_if<grammar::refusal_line>(&*reply)) {
    if (const auto why = delivery::reason_from(no->word); why) answer.why = *why;
    answer.text = no->text;
  }
}

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
    case 0:
      return {verdict::ok, false};
    case exit_failed:
      return {verdict::fail, false};
    case exit_mixed:
      return {verdict::partial, false};
    case exit_drop:
      return {verdict::defer, true};
    default:
      return {verdict::defer, false};
  }
}

header_answer header_answer_of(const std::vector<std::string>& lines, const command_end& end,
                               const std::vector<address>& recipients) {
  using kind = header_answer::kind;
  const reason without_word =
      end.status == exit_failed || end.status == exit_deferred ? reason::policy : reason::internal;
  header_answer answer;
  answer.why = without_word;
  for (const std::string& line : lines) take_line(line, answer);
  // The word says why, and the exit code what: together they must be an answer of this stage.
  if (!delivery::may_refuse(answer.why, end.status == exit_failed)) answer.why = without_word;
  if (end.status == exit_drop) {
    answer.what = kind::drop;
  } else if (end.status == exit_failed) {
    answer.what = kind::reject;
  } else if (end.status == 0) {
    const bool all = std::all_of(recipients.begin(), recipients.end(),
                                 [&](const address& a) { return holds(answer.already, a); });
    answer.what = all ? kind::verdict : kind::accept;
    answer.final_verdict = verdict::ok;
  }
  return answer;
}

}  // namespace ima::service
