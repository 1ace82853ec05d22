package main

import (
	"bufio"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// fileSystem is what is known of the file system that a scan lies on.
type fileSystem struct {
	kind            string
	device          string
	options         string
	totalBytes      int64
	freeBytes       int64
	availableBytes  int64
	totalInodes     int64
	freeInodes      int64
	mayHang, pseudo bool
}

// A mount is one line of /proc/self/mountinfo; see proc_pid_mountinfo(5).
type mount struct {
	id      uint64
	dev     uint64
	point   string
	options string
	kind    string
	device  string
}

// Types that need a server or another process for each call: more threads help, and a call may hang.
var remoteTypes = []string{
	"nfs", "cifs", "smb", "fuse", "lustre", "gpfs", "ceph", "gluster", "beegfs", "afs", "9p", "orangefs", "pvfs",
	"panfs", "virtiofs", "coda", "ncp", "davfs", "wekafs", "vboxsf", "prl_fs", "acfs", "ocfs",
}

// File systems that hold no files of users.
var pseudoTypes = map[int64]string{
	unix.PROC_SUPER_MAGIC: "proc", unix.SYSFS_MAGIC: "sysfs", unix.CGROUP_SUPER_MAGIC: "cgroup",
	unix.CGROUP2_SUPER_MAGIC: "cgroup2", unix.DEBUGFS_MAGIC: "debugfs", unix.TRACEFS_MAGIC: "tracefs",
	unix.SECURITYFS_MAGIC: "securityfs", unix.BPF_FS_MAGIC: "bpf", unix.DEVPTS_SUPER_MAGIC: "devpts",
	unix.BINFMTFS_MAGIC: "binfmt_misc", unix.PSTOREFS_MAGIC: "pstore", unix.EFIVARFS_MAGIC: "efivarfs",
	unix.SELINUX_MAGIC: "selinuxfs", unix.NSFS_MAGIC: "nsfs", unix.RDTGROUP_SUPER_MAGIC: "resctrl",
}

// describeFileSystem asks the kernel about the file system of an open directory.
func describeFileSystem(fd int, root inode) (fileSystem, error) {
	var answer unix.Statfs_t
	if err := unix.Fstatfs(fd, &answer); err != nil {
		return fileSystem{}, err
	}
	fs := fileSystem{
		kind:           "0x" + strconv.FormatInt(int64(answer.Type), 16),
		totalBytes:     int64(answer.Blocks) * answer.Frsize,
		freeBytes:      int64(answer.Bfree) * answer.Frsize,
		availableBytes: int64(answer.Bavail) * answer.Frsize,
		totalInodes:    int64(answer.Files),
		freeInodes:     int64(answer.Ffree),
	}
	if name, pseudo := pseudoTypes[int64(answer.Type)]; pseudo {
		fs.kind, fs.pseudo = name, true
	}
	if m := findMount(fd, root); m != nil {
		fs.kind, fs.device, fs.options = m.kind, m.device, m.options
	}
	for _, kind := range remoteTypes {
		fs.mayHang = fs.mayHang || strings.HasPrefix(fs.kind, kind)
	}
	return fs, nil
}

func findMount(fd int, root inode) *mount {
	path := realPath(fd)
	var found *mount
	for _, m := range readMounts() {
		switch {
		case root.mount != 0 && m.id == root.mount:
			return &m
		case root.mount == 0 && m.dev == root.dev && (within(path, m.point) || found == nil):
			if found == nil || len(m.point) >= len(found.point) {
				found = &m
			}
		}
	}
	return found
}

func readMounts() []mount {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil // no /proc: the type is a number then, and mounts are told by their devices
	}
	defer file.Close()
	var mounts []mount
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m, ok := parseMount(lines.Text()); ok {
			mounts = append(mounts, m)
		}
	}
	return mounts
}

func parseMount(line string) (mount, bool) {
	before, after, ok := strings.Cut(line, " - ")
	left, right := strings.Fields(before), strings.Fields(after)
	if !ok || len(left) < 6 || len(right) < 2 {
		return mount{}, false
	}
	id, _ := strconv.ParseUint(left[0], 10, 64)
	majorText, minorText, _ := strings.Cut(left[2], ":")
	major, _ := strconv.ParseUint(majorText, 10, 32)
	minor, _ := strconv.ParseUint(minorText, 10, 32)
	return mount{
		id: id, dev: unix.Mkdev(uint32(major), uint32(minor)), point: unescapeOctal(left[4]), options: left[5],
		kind: right[0], device: unescapeOctal(right[1]),
	}, true
}

// unescapeOctal undoes the \040 that the kernel writes for a blank.
func unescapeOctal(text string) string {
	var plain strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+3 < len(text) {
			if code, err := strconv.ParseUint(text[i+1:i+4], 8, 8); err == nil {
				plain.WriteByte(byte(code))
				i += 3
				continue
			}
		}
		plain.WriteByte(text[i])
	}
	return plain.String()
}

func realPath(fd int) string {
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return ""
	}
	return path
}

func within(path, folder string) bool {
	return folder == "/" || path == folder || strings.HasPrefix(path, folder+"/")
}

// mountPoints knows the mounts below a scan's root where the kernel gives no mount ids (before Linux 5.8): a bind
// mount of the same file system has the same device number.
type mountPoints struct {
	paths map[string]bool // below the root
	names map[string]bool // their last parts
}

func newMountPoints(fd int, root inode) *mountPoints {
	if root.mount != 0 {
		return nil
	}
	points := &mountPoints{paths: make(map[string]bool), names: make(map[string]bool)}
	path := realPath(fd)
	for _, m := range readMounts() {
		if m.point == path || !within(m.point, path) {
			continue
		}
		below := strings.TrimPrefix(strings.TrimPrefix(m.point, path), "/")
		points.paths[below] = true
		points.names[below[strings.LastIndexByte(below, '/')+1:]] = true
	}
	return points
}

// covers says whether something is mounted on an entry.
func (p *mountPoints) covers(d *directory, name []byte) bool {
	return p != nil && p.names[string(name)] && p.paths[d.path(string(name))]
}
