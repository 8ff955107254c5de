# SPDX-License-Identifier: Apache-2.0
# scdoc begins a paragraph wherever one might begin; mandoc warns of those that are empty. This leaves them out: behind a
# heading or another paragraph, and before a heading or the end; before the end of an indented block it moves them behind.
/^\.P$/ { if (last !~ /^\.(SH|SS|P|TH|RS)/) waiting = 1; next }
/^\.RE$/ { print; last = $0; next }
{
    if (waiting && $0 !~ /^\.(SH|SS)/) print ".P"
    waiting = 0
    print
    last = $0
}
