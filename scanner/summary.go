package main

import (
	"fmt"
	"io"
	"os/user"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"
)

const summaryRows = 10

// summarize writes what people want to know first.
func summarize(out io.Writer, d *document) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %d files, %d directories, %d others; %s, on disk %s; %.1f s\n", printable(d.path), d.all.files,
		d.all.directories, d.all.other, inUnits(d.all.apparent), inUnits(d.all.allocated), d.seconds)
	fmt.Fprintf(&text, "older than %d days: %d files, %s\n", d.oldDays, d.all.oldFiles, inUnits(d.all.oldBytes))
	if d.skippedMounts > 0 {
		fmt.Fprintf(&text, "not counted: what is mounted on %d entries\n", d.skippedMounts)
	}
	if d.partialReason != "" {
		fmt.Fprintf(&text, "PARTIAL: %s\n", explain(d))
	}
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(table, "\n user\ton disk\tsize\tfiles\told files\told\t\n")
	for _, o := range d.users[:min(summaryRows, len(d.users))] {
		fmt.Fprintf(table, " %s\t%s\t%s\t%d\t%d\t%s\t\n", login(o.uid), inUnits(o.allocated), inUnits(o.apparent), o.files,
			o.oldFiles, inUnits(o.oldBytes))
	}
	_ = table.Flush()
	if left := len(d.users) - summaryRows; left > 0 {
		fmt.Fprintf(&text, " and %d more users\n", left)
	}
	fmt.Fprint(&text, "\n on disk  directory\n")
	for _, r := range d.directories[:min(summaryRows, len(d.directories))] {
		fmt.Fprintf(&text, "%8s  %s\n", inUnits(r.allocated), printable("./"+r.dir.path("")))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func explain(d *document) string {
	switch d.partialReason {
	case interrupted:
		return "interrupted; these are the figures of what was seen"
	case deadline:
		return "the deadline came first; these are the figures of what was seen"
	}
	parts := make([]string, 0, len(d.errors))
	for _, f := range d.errors {
		parts = append(parts, fmt.Sprintf("%s %d times, as at %s", f.kind, f.count, printable("./"+f.dir.path(f.name))))
	}
	return strings.Join(parts, "; ")
}

func login(uid uint32) string {
	number := strconv.FormatUint(uint64(uid), 10)
	if known, err := user.LookupId(number); err == nil {
		return printable(known.Username)
	}
	return number
}

func inUnits(bytes int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	value, at := float64(bytes), 0
	for value >= 1023.95 && at+1 < len(units) {
		value /= 1024
		at++
	}
	if at == 0 {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %s", value, units[at])
}

// printable makes a name safe for a terminal: what would move the cursor, hide or reverse text is shown as an escape.
func printable(name string) string {
	var shown strings.Builder
	for len(name) > 0 {
		char, length := utf8.DecodeRuneInString(name)
		switch {
		case char == utf8.RuneError && length == 1, char < ' ', char == 0x7f:
			fmt.Fprintf(&shown, `\x%02x`, name[0])
		case !unicode.IsPrint(char) && char > 0xffff:
			fmt.Fprintf(&shown, `\U%08x`, char)
		case !unicode.IsPrint(char):
			fmt.Fprintf(&shown, `\u%04x`, char)
		default:
			shown.WriteRune(char)
		}
		name = name[length:]
	}
	return shown.String()
}
