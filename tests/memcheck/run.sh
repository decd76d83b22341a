#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# run.sh ARCHIVE   run the examples of the C library, linked with ARCHIVE, under valgrind and with AddressSanitizer, with the
#                  library's card without hardware; runs inside the root of packages.txt
#
# ARCHIVE is libax650_c.a with the feature `fake`.  What valgrind calls definitely lost is an error.  Programs that do wrong
# must be found, so that nothing passes because nobody looks.  The last line is `N passed, N failed, N skipped`.
set -euo pipefail

tree=$(cd "$(dirname "$0")/../.." && pwd)
here=$tree/tests/memcheck
archive=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
export ASAN_OPTIONS=exitcode=9:detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1

build() { # PROGRAM SOURCE FLAGS...
    local program=$1 source=$2 compiler=gcc
    shift 2
    [[ $source != *.cpp ]] || compiler=g++
    "$compiler" -g -O1 -fno-omit-frame-pointer -Wall -Wextra -Werror "$@" -I "$tree/userlib/c/include" -o "$work/$program" \
        -Wl,--wrap=ax650_card_open "$source" "$work/fake_card.o" "$archive" -lm
}

# check NAME STATUS WORDS COMMAND...: the command ends with that status, and says what the pattern WORDS matches.
check() {
    local name=$1 want=$2 words=$3 status=0
    shift 3
    "$@" >"$work/log" 2>&1 || status=$?
    if [ "$status" = "$want" ] && grep -qE -- "$words" <(cat "$work/log"; echo); then
        passed=$((passed + 1))
        echo "ok       memcheck/$name"
    else
        failed=$((failed + 1))
        echo "FAILED   memcheck/$name: exit status $status instead of $want, or nothing of '$words'"
        tail -n 40 "$work/log"
    fi
}

gcc -g -c -Wall -Wextra -Werror -I "$tree/userlib/c/include" -o "$work/fake_card.o" "$here/fake_card.c"
examples=$tree/userlib/c/examples
build fake_model "$here/fake_model.c"
"$work/fake_model" "$work/model"
printf '0123456789abcdef' >"$work/input"
head -c $((64 * 48 * 3 / 2)) /dev/zero >"$work/picture"
clip=$tree/tests/data/field/c14_zeronal_first.h264

for tool in valgrind sanitizers; do
    flags=() under=()
    case $tool in
    valgrind) under=(valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite) ;;
    sanitizers) flags=(-fsanitize=address,undefined) ;;
    esac
    for source in "$examples"/{infer.c,scale.c,transcode.cpp} "$here/wrong.c"; do
        program=$(basename "${source%.*}")
        build "$program" "$source" "${flags[@]}"
    done
    check "$tool/infer" 0 "ran in" "${under[@]}" "$work/infer" "$work/model" "$work/input"
    check "$tool/infer_without_a_model" 1 "load: " "${under[@]}" "$work/infer" "$work/input"
    check "$tool/scale" 0 "" "${under[@]}" "$work/scale" "$work/picture" 64 48 "$work/out" 32 20
    check "$tool/scale_a_part" 0 "" "${under[@]}" "$work/scale" "$work/picture" 64 48 "$work/out" 32 20 6 8 20 30
    check "$tool/scale_no_part" 1 "scale: " "${under[@]}" "$work/scale" "$work/picture" 64 48 "$work/out" 32 20 60 8 20 30
    check "$tool/transcode" 0 " pictures" "${under[@]}" "$work/transcode" "$clip" "$work/out"
    check "$tool/a_leak_is_found" 9 "definitely lost|LeakSanitizer" "${under[@]}" "$work/wrong" leak
    check "$tool/a_late_look_is_found" 9 "Invalid read|heap-use-after-free" "${under[@]}" "$work/wrong" late
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
