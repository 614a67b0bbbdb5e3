package measure

import (
	"io"
	"strings"
	"testing"

	"github.com/neuronward/neuronward/proxy/measure/mediatest"
)

func TestPictureSize(t *testing.T) {
	photo := mediatest.Picture(t, "jpeg", 700, 300)
	exif := "\xff\xe1\xff\xff" + strings.Repeat("\xff\xc0", 0xffff/2) +
		"\x00" // a segment in which frames seem to begin
	for _, c := range []struct {
		name, file    string
		width, height int64
		is            bool
	}{
		{"PNG", string(mediatest.Picture(t, "png", 512, 300)), 512, 300, true},
		{"GIF", string(mediatest.Picture(t, "gif", 1000, 2)), 1000, 2, true},
		{"JPEG", string(photo), 700, 300, true},
		{
			"JPEG with much before its frame", string(photo[:2]) + exif[:4+0xffff-2] + "\xff\xff" + string(photo[2:]),
			700,
			300, true,
		},
		{"JPEG that is cut", string(photo[:20]), 0, 0, true},
		{"JPEG without a frame", "\xff\xd8\xff\xda\x00\x02sound", 0, 0, true},
		{"PNG that is cut", "\x89PNG\r\n\x1a\n", 0, 0, true},
		{"WebP", "RIFF____WEBPVP8 ____\x00\x00\x00\x9d\x01\x2a\x00\x02\x2c\x01", 512, 300, true},
		{"WebP without loss", "RIFF____WEBPVP8L____\x2f\xff\xc1\x4a\x00_____", 512, 300, true},
		{"WebP, extended", "RIFF____WEBPVP8X____\x00\x00\x00\x00\xff\x01\x00\x2b\x01\x00", 512, 300, true},
		{"WebP of another kind", "RIFF____WEBPABCD______________", 0, 0, true},
		{"a recording", "RIFF____WAVEfmt ______________", 0, 0, false},
		{"nothing", "", 0, 0, false},
	} {
		// In whatever pieces it comes.
		for _, r := range []io.Reader{
			strings.NewReader(c.file),
			io.MultiReader(strings.NewReader(c.file[:len(c.file)/3]), strings.NewReader(c.file[len(c.file)/3:])),
		} {
			w, h, is := pictureSize(r)
			if w != c.width || h != c.height {
				t.Errorf("%s: got %dx%d, want %dx%d", c.name, w, h, c.width, c.height)
			}
			if is != c.is {
				t.Errorf("%s: got a picture: %t, want %t", c.name, is, c.is)
			}
		}
	}
}
