// dkm-scan counts what lies below a directory, by user, group, directory, age and size, in one pass.
//
// Where to start reading: scan.go holds a scan together, worker.go is what each thread does, directory.go and
// descriptors.go say how a tree of any depth and width is walked without paths and with few open descriptors, links.go
// how a file with several names counts once, and document.go what comes out. kernel.go makes all system calls.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// version is set by the linker.
var version = "unknown"

const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	o, err := parse(os.Args[1:])
	switch {
	case errors.Is(err, errHelp):
		fmt.Printf(help, threadsHelp)
		return
	case err != nil:
		fail(exitUsage, err)
	case o.version:
		fmt.Println("dkm-scan", version)
		return
	}
	if err := work(o); err != nil {
		fail(exitFailed, err)
	}
}

func fail(status int, err error) {
	fmt.Fprintln(os.Stderr, "dkm-scan:", err)
	os.Exit(status)
}

// work scans and writes the result.
func work(o options) error {
	k := kernel{}
	fd, root, fs, err := openRoot(&k, o.path)
	if err != nil {
		return err
	}
	o.choose(fs)
	k.raw = !fs.mayHang
	tune(o.threads)
	var out *stream
	if o.format == asStream {
		out = &stream{out: os.Stdout}
	}
	s := newScan(o, fd, root, k, fs, out)
	endOnSignals(s)
	quiet := showProgress(s)
	s.run()
	quiet()
	return write(s.document(), o.format, out)
}

// tune sets Go's scheduler and memory up for threads that spend their time in the kernel.
func tune(threads int) {
	runtime.GOMAXPROCS(threads + 1) // one for timers, signals and progress
	debug.SetGCPercent(100)         // there is little garbage: the heap stays near what is in use
}

// openRoot opens PATH and looks at what it lies on.
func openRoot(k *kernel, path string) (int, inode, fileSystem, error) {
	var root inode
	fd, errno := k.open(unix.AT_FDCWD, path)
	if errno != 0 {
		return 0, root, fileSystem{}, cannotOpen(path, errno)
	}
	k.probe(fd)
	if errno := k.status(fd, &root); errno != 0 {
		return 0, root, fileSystem{}, cannotOpen(path, errno)
	}
	fs, err := describeFileSystem(fd, root)
	if err != nil {
		return 0, root, fs, cannotOpen(path, errnoOf(err))
	}
	if fs.pseudo {
		return 0, root, fs, fmt.Errorf("%s lies on %s, which holds no files of users; name another directory",
			printable(path), printable(fs.kind))
	}
	return fd, root, fs, nil
}

func cannotOpen(path string, errno unix.Errno) error {
	var wayOut string
	var entry unix.Stat_t
	isLink := unix.Lstat(path, &entry) == nil && entry.Mode&unix.S_IFMT == unix.S_IFLNK
	switch {
	case isLink:
		return fmt.Errorf("%s is a symbolic link, which is not followed; name the directory it leads to", printable(path))
	case errno == unix.ENOTDIR:
		wayOut = "name a directory"
	case errno == unix.ENOENT:
		wayOut = "correct the path, or mount what belongs there"
	case errno == unix.EACCES || errno == unix.EPERM:
		wayOut = "call this as a user who may read it, or give dkm-scan the capability CAP_DAC_READ_SEARCH"
	default:
		wayOut = "look at the file system (dmesg, the server that exports it) and try again"
	}
	return fmt.Errorf("cannot scan %s: %s (%s); %s", printable(path), errno.Error(), errnoName(errno), wayOut)
}

// endOnSignals ends the scan with what was seen so far at the first SIGINT or SIGTERM, and the program at the second.
func endOnSignals(s *scan) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM)
	go func() {
		<-signals
		signal.Reset(unix.SIGINT, unix.SIGTERM)
		s.stop(interrupted)
	}()
}

// showProgress tells the reader of the stream, and the terminal if that was asked for, how far the scan is. It
// returns what ends that.
func showProgress(s *scan) func() {
	_, err := unix.IoctlGetTermios(int(os.Stderr.Fd()), unix.TCGETS)
	terminal := s.options.progress && err == nil
	if !terminal && s.stream == nil {
		return func() {}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(progressPeriod)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
			case <-end:
				return
			}
			if s.stream != nil {
				s.stream.progress(&s.seen, s.elapsed())
			}
			if terminal {
				entries := s.seen.entries.Load()
				fmt.Fprintf(os.Stderr, "\r%d entries, %.0f a second, %s \x1b[K", entries,
					float64(entries)/s.elapsed().Seconds(), inUnits(s.seen.apparent.Load()))
			}
		}
	}()
	return func() {
		close(end)
		<-ended
		if terminal {
			fmt.Fprint(os.Stderr, "\r\x1b[K")
		}
	}
}

func write(d *document, as format, out *stream) error {
	var err error
	switch as {
	case asStream:
		err = out.document(d)
	case asJSON:
		e := &jsonEncoder{outlet: outlet{to: os.Stdout}}
		d.encode(e)
		e.out = append(e.out, '\n')
		e.flush()
		err = e.err
	default:
		err = summarize(os.Stdout, d)
	}
	if err == nil {
		err = os.Stdout.Close() // the reader sees the end even if a hanging call keeps this process from ending
	}
	if err != nil {
		return fmt.Errorf("cannot write the result: %w; make room, or send it elsewhere", err)
	}
	return nil
}
