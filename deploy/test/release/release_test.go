package releasetest

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
)

const version = "v1.2.3"

var (
	// The other platforms need all packages compiled once more each.
	platforms = flag.String("platforms", "linux/"+runtime.GOARCH, "platforms to make a release for, or all")
	// Compiling cosign takes minutes.
	cosign = flag.String("cosign", "", "the program cosign, to sign and verify as deploy/README.md says")
)

// command runs a command to its end and returns what it printed.
func command(t *testing.T, dir string, environ []string, name string, args ...string) (out string, status int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), environ...)
	text, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text)), cmd.ProcessState.ExitCode()
}

// must is command, of which nothing but success is expected.
func must(t *testing.T, dir string, environ []string, name string, args ...string) string {
	t.Helper()
	out, status := command(t, dir, environ, name, args...)
	if status != 0 {
		t.Fatalf("%s %q: exit status %d, want 0\n%s", name, args, status, out)
	}
	return out
}

// cloned is a repository that has what stands in this one as its only tag, and the commit.
func cloned(t *testing.T, dir string) (commit string) {
	t.Helper()
	top, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	clone := []string{"clone", "--quiet", "--shared", "--no-checkout", "--no-tags", top, dir}
	must(t, top, nil, "git", clone...)
	commit = must(t, top, nil, "git", "rev-parse", "HEAD")
	who := []string{
		"GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@localhost", "GIT_AUTHOR_DATE=@1700000000 +0200",
		"GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@localhost", "GIT_COMMITTER_DATE=@1700000000 +0200",
	}
	if changed := must(t, top, who, "git", "stash", "create"); changed != "" {
		tree := must(t, dir, nil, "git", "rev-parse", changed+"^{tree}")
		commit = must(t, dir, who, "git", "commit-tree", "-p", commit, "-m", "changes", tree)
	}
	must(t, dir, nil, "git", "checkout", "--quiet", "--detach", commit)
	must(t, dir, nil, "git", "tag", version)
	return commit
}

func TestRelease(t *testing.T) {
	first, second := filepath.Join(t.TempDir(), "here"), filepath.Join(t.TempDir(), "another", "folder")
	commit := cloned(t, first)
	cloned(t, second)
	of := strings.Fields(*platforms)
	if *platforms == "all" {
		of = nil
	}
	t.Log(must(t, first, nil, "bash", append([]string{".ci/release"}, of...)...))
	elsewhere := []string{"TZ=Asia/Tokyo", "LANG=C.UTF-8", "CGO_ENABLED=1", "GOFLAGS=-buildvcs=false"}
	private := []string{"-c", `umask 077; exec bash .ci/release "$@"`, "release"}
	must(t, second, elsewhere, "bash", append(private, of...)...)

	dist := filepath.Join(first, "dist")
	files := contents(t, dist)
	t.Run("the same bytes", func(t *testing.T) {
		other := contents(t, filepath.Join(second, "dist"))
		names := slices.Sorted(maps.Keys(files))
		if got := slices.Sorted(maps.Keys(other)); !slices.Equal(got, names) {
			t.Errorf("the second folder has %q, want %q", got, names)
		}
		for _, name := range names {
			if !bytes.Equal(files[name], other[name]) {
				t.Errorf("%s: two folders have other bytes, want the same", name)
			}
		}
	})
	t.Run("checksums", func(t *testing.T) {
		must(t, dist, nil, "sha256sum", "--check", "--strict", "SHA256SUMS")
		sums := string(files["SHA256SUMS"])
		for name := range files {
			if !strings.HasPrefix(name, "image/") && name != "SHA256SUMS" && !strings.Contains(sums, "  "+name+"\n") {
				t.Errorf("SHA256SUMS = %s\nwant %s in it", sums, name)
			}
		}
	})
	for name := range files {
		platform, ok := strings.CutSuffix(name, ".cdx.json")
		if !ok {
			continue
		}
		t.Run(platform, func(t *testing.T) {
			inside := unpacked(t, files, platform)
			want := []string{"LICENSE", "README.md", "THIRD_PARTY_LICENSES", binaryOf(platform)}
			if got := slices.Sorted(maps.Keys(inside)); !slices.Equal(got, want) {
				t.Errorf("the archive holds %q, want %q", got, want)
			}
			testModules(t, inside[binaryOf(platform)], files[name], string(inside["THIRD_PARTY_LICENSES"]))
		})
	}
	t.Run("version", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "neuronward")
		binary := unpacked(t, files, "neuronward_"+runtime.GOOS+"_"+runtime.GOARCH)["neuronward"]
		if err := os.WriteFile(path, binary, 0o755); err != nil {
			t.Fatal(err)
		}
		date := must(t, first, []string{"TZ=UTC0"}, "git", "log", "-1", "--date=format-local:%Y-%m-%dT%H:%M:%SZ",
			"--format=%cd")
		want := fmt.Sprintf("neuronward %s\ncommit %s\ndate %s\n%s %s/%s", version, commit, date, runtime.Version(),
			runtime.GOOS, runtime.GOARCH)
		if got := must(t, "", nil, path, "version"); got != want {
			t.Errorf("version = %q, want %q", got, want)
		}
	})
	t.Run("chart", func(t *testing.T) { testChart(t, files["neuronward-1.2.3.tgz"], first) })
	t.Run("image", func(t *testing.T) { testImage(t, files, commit) })
	if *cosign != "" {
		t.Run("signature", func(t *testing.T) { testSignature(t, dist) })
	}
}

// contents are the files below a folder.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files[name], err = os.ReadFile(filepath.Join(dir, name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// binaryOf is the name of the program in a platform's archive.
func binaryOf(platform string) string {
	if strings.Contains(platform, "_windows_") {
		return "neuronward.exe"
	}
	return "neuronward"
}

// A bom is what is read of an SBOM.
type bom struct {
	BOMFormat string
	Metadata  struct {
		Component struct{ Name, Version string }
		Tools     []struct {
			Name, Version string
			Hashes        []any
		}
	}
	// Components are the modules that are compiled in, and Go's standard library.
	Components []struct {
		Name, Version string
		Evidence      struct{ Licenses []any }
	}
}

// testModules: what Go has written into the binary is what the SBOM says, and of each module the license is there.
func testModules(t *testing.T, binary, sbom []byte, licenses string) {
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	var b bom
	if err := json.Unmarshal(sbom, &b); err != nil {
		t.Fatal(err)
	}
	if got := b.Metadata.Component; b.BOMFormat != "CycloneDX" || got.Name != info.Main.Path || got.Version != version {
		t.Errorf("the SBOM is a %s of %+v, want CycloneDX of %s %s", b.BOMFormat, got, info.Main.Path, version)
	}
	if got := b.Metadata.Tools; len(got) != 1 || got[0].Name != "cyclonedx-gomod" || len(got[0].Hashes) > 0 {
		t.Errorf("the SBOM was made by %+v, want cyclonedx-gomod, without the checksums of what this machine compiled",
			got)
	}
	want := []string{"std " + strings.Fields(info.GoVersion)[0]}
	for _, m := range info.Deps {
		if m.Replace != nil {
			t.Errorf("%s is replaced by %s, want no replaced module in a release", m.Path, m.Replace.Path)
		}
		want = append(want, m.Path+" "+m.Version)
		if !strings.Contains(licenses, "==== "+m.Path+" "+m.Version+": ") {
			t.Errorf("THIRD_PARTY_LICENSES, want the license of %s %s", m.Path, m.Version)
		}
	}
	var got []string
	for _, c := range b.Components {
		got = append(got, c.Name+" "+c.Version)
		if c.Name != "std" && len(c.Evidence.Licenses) == 0 {
			t.Errorf("the SBOM names no license of %s, want one", c.Name)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if len(info.Deps) == 0 || !slices.Equal(got, want) {
		t.Errorf("the SBOM lists %q, want the modules of the binary %q", got, want)
	}
}

// testChart: the chart is what stands in the folder, but for its version.
func testChart(t *testing.T, packed []byte, top string) {
	got, err := loader.LoadArchive(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	want, err := loader.LoadDir(filepath.Join(top, "deploy", "helm", "neuronward"))
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Validate(); err != nil {
		t.Errorf("the chart: %v, want it valid", err)
	}
	if m := got.Metadata; m.Version != "1.2.3" || m.AppVersion != version || m.Name != "neuronward" {
		t.Errorf("the chart is %s %s of %s, want neuronward 1.2.3 of %s", m.Name, m.Version, m.AppVersion, version)
	}
	if len(got.Raw) != len(want.Raw) {
		t.Errorf("the chart has %d files, want %d", len(got.Raw), len(want.Raw))
	}
	for _, file := range want.Raw {
		i := slices.IndexFunc(got.Raw, func(f *chartFile) bool { return f.Name == file.Name })
		if i < 0 || file.Name != "Chart.yaml" && !bytes.Equal(got.Raw[i].Data, file.Data) {
			t.Errorf("%s is missing or another one, want it as it stands", file.Name)
		}
	}
}
