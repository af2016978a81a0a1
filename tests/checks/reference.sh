#!/bin/bash
# reference.sh [DIR]: makes the API reference from the public headers with Doxygen and fails where a
# public name is undocumented, or a comment cannot be read. With DIR the HTML is kept there.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
html=NO
[ $# -eq 0 ] || html=YES

# Doxygen looks into documented namespaces alone.
grep -rhoE '^namespace ima[a-z:]*' libima/include | sort -u |
  sed 's|^namespace \(.*\)|/** \\namespace \1 \n The module of that name. */|' >"$work/namespaces.dox"

doxygen - >"$work/log" <<END_OF_FILE
PROJECT_NAME = libima
INPUT = libima/include/ima $work/namespaces.dox
RECURSIVE = YES
FILE_PATTERNS = *.hpp *.dox
STRIP_FROM_INC_PATH = libima/include
OUTPUT_DIRECTORY = ${1-$work}
GENERATE_HTML = $html
GENERATE_XML = YES
GENERATE_LATEX = NO
QUIET = YES
JAVADOC_AUTOBRIEF = YES
SHOW_FILES = NO
EXTRACT_ALL = NO
HIDE_UNDOC_MEMBERS = NO
MACRO_EXPANSION = YES
EXPAND_ONLY_PREDEF = YES
PREDEFINED = IMA_API=
AUTOLINK_SUPPORT = NO
WARN_NO_PARAMDOC = NO
WARN_IF_INCOMPLETE_DOC = NO
WARN_LOGFILE = $work/warnings
END_OF_FILE

# Nothing is to be said of what every class has: the end, moving, copying and comparing.
of_every_class='Member (~|operator(=|==|<=>)\(|([a-z_]+)\(\3 &&[a-z]*\))'
sed "s|^$PWD/||" "$work/warnings" | grep -vE "$of_every_class" >&2 && exit 1
true
