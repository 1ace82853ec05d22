package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

const help = `Count everything below a directory, by user, group, directory, age and size.

Usage: dkm-scan [options] PATH

Links are never followed, mounts never crossed, and only directories are opened. A file with several names counts once.
What cannot be read makes the result partial, which it says, and is no failure.

Result:
  --json               one document, indented; README.md of the scanner says what each key means
  --stream             frames of MessagePack for another program: progress, entries, and the document at the end
                       (neither: a short summary for people)
  --depth N            roll directories up to this depth below PATH (3)
  --max-directories N  give at most so many directories, those that take most (10000)
  --top N              the largest files, and directories by their own files (100)

Age:
  --age-by TIME        newest: the later of atime and mtime (the default); or atime, or mtime
  --old-days D         a file is old from this age on (30)
  --now SECONDS        count ages from this time (now)

What is scanned, and how fast:
  --skip NAME          leave out the entry of this name directly below PATH; may be repeated
  --one-file-system    always so
  --threads N          %s
  --max-rate N         look at no more entries a second than this (0: no limit)
  --deadline SECONDS   end then, with what was seen so far (0: none)

Entries, with --stream only:
  --list               all regular files and symbolic links, of those that match all of
  --list-old-days D      as old as this; a time in the future or before 1970 is never old
  --list-min-bytes B     as large as this
  --list-uid U           of this user; may be repeated

  --progress           show entries and rate on the terminal (standard error)
  --help, --version

Examples:
  dkm-scan /scratch
  dkm-scan --json --old-days 90 --depth 2 /scratch > scratch.json
  dkm-scan --stream --list --list-old-days 180 --list-uid 1001 /scratch | consumer
  dkm-scan --max-rate 5000 --deadline 3600 --progress /mnt/nfs

Exit status: 0 also where the result is partial; 1 where PATH cannot be scanned; 2 for a wrong call.
`

const threadsHelp = `the number of cores on a local disk, 32 where a server is asked`

const threadsRemote = 32

type format int

const (
	asSummary format = iota
	asJSON
	asStream
)

// options are what the user asked for, checked.
type options struct {
	path           string
	format         format
	threads        int // 0: by the kind of file system
	oldDays        int64
	ageBy          ageBy
	nowSeconds     int64
	nowFixed       bool
	depth          int
	top            int
	maxRate        int
	deadline       time.Duration
	skip           []string
	maxDirectories int
	list           bool
	listOldDays    int64
	listMinBytes   int64
	listUIDs       []uint32
	progress       bool
	version        bool
}

// usageError is a wrong call: what is wrong, and what to do.
type usageError string

func (e usageError) Error() string { return string(e) + "\nCall dkm-scan --help for what there is." }

// inOurWords replaces what package flag says of options, which it shows with one dash.
var inOurWords = strings.NewReplacer("flag provided but not defined: -", "there is no option --",
	"flag needs an argument: -", "a value is missing after --", "for flag -", "for --", "for -", "for --")

// errHelp means that help was asked for.
var errHelp = flag.ErrHelp

const (
	mostThreads = 1024
	mostDays    = 1_000_000 // so that seconds never overflow
	mostRows    = 10_000_000
	mostSeconds = math.MaxInt64 / 4
)

// parse reads the command line.
func parse(arguments []string) (options, error) {
	o := options{ageBy: byNewest, listOldDays: -1}
	flags := flag.NewFlagSet("dkm-scan", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	asked := map[string]*bool{}
	for _, name := range []string{"json", "stream", "one-file-system"} {
		asked[name] = flags.Bool(name, false, "")
	}
	flags.BoolVar(&o.list, "list", false, "")
	flags.BoolVar(&o.progress, "progress", false, "")
	flags.BoolVar(&o.version, "version", false, "")
	var seconds int64
	whole(flags, "threads", &o.threads, 1, mostThreads)
	whole64(flags, "old-days", &o.oldDays, 30, 0, mostDays)
	whole64(flags, "now", &o.nowSeconds, time.Now().Unix(), 0, mostSeconds)
	wholeDefault(flags, "depth", &o.depth, 3, 0, math.MaxInt32)
	wholeDefault(flags, "top", &o.top, 100, 0, mostRows)
	wholeDefault(flags, "max-rate", &o.maxRate, 0, 0, 1_000_000_000)
	whole64(flags, "deadline", &seconds, 0, 0, math.MaxInt32)
	wholeDefault(flags, "max-directories", &o.maxDirectories, 10_000, 1, mostRows)
	whole64(flags, "list-old-days", &o.listOldDays, -1, 0, mostDays)
	whole64(flags, "list-min-bytes", &o.listMinBytes, 0, 0, math.MaxInt64)
	flags.Func("skip", "", func(name string) error { o.skip = append(o.skip, name); return checkName(name) })
	flags.Func("list-uid", "", func(text string) error {
		uid, err := strconv.ParseUint(text, 10, 32)
		o.listUIDs = append(o.listUIDs, uint32(uid))
		return numberError(err)
	})
	flags.Func("age-by", "", func(text string) error {
		o.ageBy = ageBy(text)
		if !slices.Contains([]ageBy{byNewest, byAccess, byChange}, o.ageBy) {
			return errors.New("use newest, atime or mtime")
		}
		return nil
	})
	if err := flags.Parse(arguments); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, errHelp
		}
		return o, usageError(inOurWords.Replace(err.Error()))
	}
	flags.Visit(func(f *flag.Flag) { o.nowFixed = o.nowFixed || f.Name == "now" })
	o.deadline = time.Duration(seconds) * time.Second
	return o, o.finish(flags.Args(), *asked["json"], *asked["stream"])
}

func (o *options) finish(paths []string, json, stream bool) error {
	if o.version {
		return nil
	}
	switch {
	case json && stream:
		return usageError("--json and --stream exclude each other")
	case json:
		o.format = asJSON
	case stream:
		o.format = asStream
	}
	if o.format != asStream && o.list {
		return usageError("--list is for --stream: a document has no place for all entries")
	}
	if !o.list && (o.listOldDays >= 0 || o.listMinBytes > 0 || len(o.listUIDs) > 0) {
		return usageError("--list-old-days, --list-min-bytes and --list-uid say what --list lists, which is missing")
	}
	if len(paths) != 1 {
		return usageError(fmt.Sprintf("one PATH is needed after all options, and %d are given", len(paths)))
	}
	o.path = paths[0]
	return nil
}

// choose decides what depends on the file system.
func (o *options) choose(fs fileSystem) {
	if o.threads == 0 && fs.mayHang {
		o.threads = threadsRemote
	} else if o.threads == 0 {
		o.threads = runtime.NumCPU()
	}
}

// clock tells the time, or what the user says it is.
func (o *options) clock() int64 {
	if o.nowFixed {
		return o.nowSeconds
	}
	return time.Now().Unix()
}

func (o *options) filter() *filter {
	if !o.list {
		return nil
	}
	return &filter{
		aged: o.listOldDays >= 0, seconds: o.listOldDays * daySeconds, minBytes: o.listMinBytes, uids: o.listUIDs,
	}
}

func whole(flags *flag.FlagSet, name string, into *int, least, most int) {
	flags.Func(name, "", func(text string) error {
		value, err := parseWhole(text, int64(least), int64(most))
		*into = int(value)
		return err
	})
}

func wholeDefault(flags *flag.FlagSet, name string, into *int, standard, least, most int) {
	*into = standard
	whole(flags, name, into, least, most)
}

func whole64(flags *flag.FlagSet, name string, into *int64, standard, least, most int64) {
	*into = standard
	flags.Func(name, "", func(text string) error {
		value, err := parseWhole(text, least, most)
		*into = value
		return err
	})
}

func parseWhole(text string, least, most int64) (int64, error) {
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, numberError(err)
	}
	if value < least || value > most {
		return 0, fmt.Errorf("use a whole number from %d to %d", least, most)
	}
	return value, nil
}

func numberError(err error) error {
	if err != nil {
		return errors.New("use a whole number")
	}
	return nil
}

func checkName(name string) error {
	if name == "" || strings.ContainsRune(name, os.PathSeparator) {
		return errors.New("use the name of one entry, without a slash")
	}
	return nil
}
