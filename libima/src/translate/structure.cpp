#include "translate/structure.hpp"

#include "message/header_grammar.hpp"
#include "translate/entity.hpp"
#include "translate/escape.hpp"
#include "wire/words.hpp"

#include <algorithm>

namespace ima::translate {
namespace {

constexpr std::size_t deepest = scan_bounds{}.depth;

bool is_reading_text(std::string_view type) {
  return type == "text/plain" || type == "text/html" || type == "text/enriched" ||
         type == "text/richtext" || type == "text/markdown";
}

class role_giver {
 public:
  explicit role_giver(std::span<leaf_traits> leaves) : leaves_(leaves) {}

  void give(const node& n, std::string_view role) {
    if (collapses(n)) return give(n.children.front(), role);
    if (n.subtype.empty()) return give_leaf(leaves_[n.part - 1], role);
    if (n.subtype == "alternative" && role != "attachment") return give_alternatives(n, role);
    if (n.subtype == "related") return give_related(n, role);
    for (const node& child : n.children) give(child, in_mixture(child));
  }

 private:
  void give_leaf(leaf_traits& leaf, std::string_view role) const {
    leaf.role = leaf.attached && role != "alternative" ? "attachment" : role;
  }

  // Text between other things is read where it stands; everything else is attached.
  std::string_view in_mixture(const node& child) const {
    if (collapses(child)) return in_mixture(child.children.front());
    if (!child.subtype.empty()) return "text";
    const leaf_traits& leaf = leaves_[child.part - 1];
    return is_reading_text(leaf.media_type) && !leaf.named ? "text" : "attachment";
  }

  // The plainest form is the text.
  void give_alternatives(const node& n, std::string_view role) {
    const auto plain = std::find_if(n.children.begin(), n.children.end(), [&](const node& c) {
      return c.subtype.empty() && leaves_[c.part - 1].media_type == "text/plain";
    });
    const auto& text = plain == n.children.end() ? n.children.front() : *plain;
    for (const node& child : n.children) give(child, &child == &text ? role : "alternative");
  }

  void give_related(const node& n, std::string_view role) {
    for (const node& child : n.children)
      give(child, &child == &n.children.front() ? role : "inline");
  }

  std::span<leaf_traits> leaves_;
};

node joined(std::string subtype, std::vector<node> children) {
  if (children.size() == 1) return std::move(children.front());
  return {std::move(subtype), {}, 0, std::move(children)};
}

// What is read together: one text with its other forms and what they show.
struct reading {
  std::vector<node> forms;
  std::vector<node> shown;

  bool empty() const noexcept { return forms.empty(); }
  // Parts stay in their order, so what is shown before another form belongs to the form before it.
  void add_form(node form) {
    if (!shown.empty()) forms.back() = with_shown(std::move(forms.back()));
    forms.push_back(std::move(form));
  }
  node finish() {
    node all = with_shown(joined("alternative", std::move(forms)));
    forms.clear();
    return all;
  }

 private:
  node with_shown(node first) {
    std::vector<node> all{std::move(first)};
    std::move(shown.begin(), shown.end(), std::back_inserter(all));
    shown.clear();
    return joined("related", std::move(all));
  }
};

// What is signed or encrypted is one part, whose octets nothing may change.
bool is_subtype(std::string_view word) {
  return word != "signed" && word != "encrypted" &&
         grammar::media_type("multipart/" + std::string(word));
}

class structure_reader {
 public:
  explicit structure_reader(std::string_view text) : rest_(text) {}

  std::optional<node> read() {
    auto root = read_node(0);
    return root && rest_.empty() ? root : std::nullopt;
  }

 private:
  std::optional<node> read_node(std::size_t depth) {
    const std::string_view word = take_until("(),;");
    if (const auto part = wire::parse_number(word)) return leaf_node(*part);
    if (depth == deepest || !is_subtype(word)) return std::nullopt;
    node made{std::string(word), {}, 0, {}};
    while (take(';'))
      if (!read_param(made)) return std::nullopt;
    if (!take('(')) return std::nullopt;
    do {
      auto child = read_node(depth + 1);
      if (!child) return std::nullopt;
      made.children.push_back(std::move(*child));
    } while (take(','));
    return take(')') ? std::optional(std::move(made)) : std::nullopt;
  }

  bool read_param(node& into) {
    const std::string_view text = take_until("(),;");
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) return false;
    const auto value = unescape(text.substr(equals + 1));
    if (value) into.params.push_back({std::string(text.substr(0, equals)), *value});
    return value.has_value();
  }

  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view take_until(std::string_view stops) {
    const std::string_view word = rest_.substr(0, rest_.find_first_of(stops));
    rest_.remove_prefix(word.size());
    return word;
  }

  std::string_view rest_;
};

// A parameter's value may hold what separates nodes.
std::string escape_param(std::string_view value) {
  std::string out;
  for (const char c : escape_attribute(value)) {
    if (c == '(')
      out += "%28";
    else if (c == ')')
      out += "%29";
    else if (c == ',')
      out += "%2C";
    else
      out += c;
  }
  return out;
}

// In the order in which they begin.
template <class Node, class Each>
void for_each_multipart(Node& n, const Each& each) {
  if (n.subtype.empty()) return;
  each(n);
  for (auto& child : n.children) for_each_multipart(child, each);
}

void collect_parts(const node& n, std::vector<std::size_t>& out) {
  if (n.subtype.empty()) out.push_back(n.part);
  for (const node& child : n.children) collect_parts(child, out);
}

}  // namespace

node leaf_node(std::size_t part) {
  node made;
  made.part = part;
  return made;
}

std::string type_of(const node& n, const type_of_part& leaf_type) {
  return n.subtype.empty() ? leaf_type(n.part) : "multipart/" + n.subtype;
}

bool collapses(const node& n) {
  return n.children.size() == 1 && n.params.empty() &&
         (n.subtype == "mixed" || n.subtype == "alternative" || n.subtype == "related");
}

node as_read(node n, const type_of_part& leaf_type) {
  if (n.subtype.empty()) return n;
  std::erase_if(n.params, [&](const parameter& p) {
    // A reader of multipart/related finds the same from its first part.
    return p.name == "boundary" || (n.subtype == "related" && p.name == "type" &&
                                    p.value == type_of(n.children.front(), leaf_type));
  });
  n.params = parse_parametrised(write_parametrised({"multipart/" + n.subtype, n.params})).params;
  for (node& child : n.children) child = as_read(std::move(child), leaf_type);
  if (collapses(n) && n.around.empty()) return node(std::move(n.children.front()));
  return n;
}

leaf_traits traits_of(std::size_t number, const part_info& part) {
  return {number,
          std::string(part.media_type),
          std::string(part.role),
          !part.name.empty(),
          false,
          !part.cid.empty()};
}

bool operator==(const node& a, const node& b) { return write_structure(a) == write_structure(b); }

std::string_view role_or_default(const leaf_traits& leaf) {
  if (!leaf.role.empty()) return leaf.role;
  return leaf.media_type.starts_with("text/") && !leaf.named ? "text" : "attachment";
}

void assign_roles(const node& root, std::span<leaf_traits> leaves) {
  if (collapses(root)) return assign_roles(root.children.front(), leaves);
  role_giver giver(leaves);
  if (!root.subtype.empty()) return giver.give(root, "text");
  if (root.part == 0) return;
  const leaf_traits& only = leaves[root.part - 1];
  giver.give(root, only.media_type.starts_with("text/") ? "text" : "attachment");
}

node structure_by_roles(std::span<const leaf_traits> leaves) {
  std::vector<node> items;
  reading open;
  const auto close = [&] {
    if (!open.empty()) items.push_back(open.finish());
  };
  for (const leaf_traits& leaf : leaves) {
    const std::string_view role = role_or_default(leaf);
    if (role == "alternative" && !open.empty()) {
      open.add_form(leaf_node(leaf.part));
    } else if (role == "inline" && !open.empty()) {
      open.shown.push_back(leaf_node(leaf.part));
    } else if (role == "text") {
      close();
      open.add_form(leaf_node(leaf.part));
    } else {
      close();
      items.push_back(leaf_node(leaf.part));
    }
  }
  close();
  return items.empty() ? leaf_node(0) : joined("mixed", std::move(items));
}

std::vector<std::string> write_around(const node& root) {
  std::vector<std::string> out;
  std::size_t number = 0;
  for_each_multipart(root, [&](const node& n) {
    ++number;
    if (n.around.empty()) return;
    std::string line = std::to_string(number);
    for (const parameter& p : n.around) line += " " + p.name + "=" + p.value;
    out.push_back(std::move(line));
  });
  return out;
}

void read_around(node& root, std::span<const std::string_view> lines) {
  std::vector<node*> multiparts;
  for_each_multipart(root, [&](node& n) { multiparts.push_back(&n); });
  for (std::string_view line : lines) {
    const auto number = wire::parse_number(wire::take_word(line));
    if (!number || *number == 0 || *number > multiparts.size()) continue;
    node& n = *multiparts[*number - 1];
    while (!line.empty()) {
      const std::string_view word = wire::take_word(line);
      if (word.empty()) break;
      const std::size_t equals = std::min(word.find('='), word.size());
      n.around.push_back({std::string(word.substr(0, equals)),
                          std::string(word.substr(std::min(equals + 1, word.size())))});
    }
  }
}

std::string write_structure(const node& root) {
  if (root.subtype.empty()) return std::to_string(root.part);
  std::string out = root.subtype;
  for (const parameter& p : root.params) out += ";" + p.name + "=" + escape_param(p.value);
  out += '(';
  for (const node& child : root.children) {
    if (&child != &root.children.front()) out += ',';
    out += write_structure(child);
  }
  return out + ')';
}

std::optional<node> read_structure(std::string_view text) { return structure_reader(text).read(); }

node structure_of(std::optional<std::string_view> line, std::span<const leaf_traits> leaves) {
  auto said = line ? read_structure(*line) : std::nullopt;
  if (!said) return structure_by_roles(leaves);
  std::vector<std::size_t> named;
  collect_parts(*said, named);
  const bool fits =
      std::equal(named.begin(), named.end(), leaves.begin(), leaves.end(),
                 [](std::size_t n, const leaf_traits& leaf) { return n == leaf.part; });
  return fits ? std::move(*said) : structure_by_roles(leaves);
}

}  // namespace ima::translate
