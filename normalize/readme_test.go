package normalize

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The envelopes that the documents show are that of a failure as Workers AI sends it. "…" stands for any text.
// README.md here has all fields, that of the repository leaves some out.
func TestEnvelopeInReadme(t *testing.T) {
	f := Classify(http.StatusTooManyRequests, http.Header{"Cf-Ray": {"8f00-AMS"}, "Cf-Ai-Req-Id": {"req"}}, []byte(
		`{"errors":[{"message":"AiError: Capacity temporarily exceeded, please try again.","code":3040}],`+
			`"success":false,"result":{},"messages":[]}`))
	f.Model, f.RequestID = "@cf/meta/llama-3.1-8b-instruct-fp8", "id"
	var made any
	if err := json.Unmarshal(f.Append(nil), &made); err != nil {
		t.Fatal(err)
	}
	for file, whole := range map[string]bool{"README.md": true, "../README.md": false} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		block := regexp.MustCompile("(?s)<!-- test: TestEnvelopeInReadme -->\n```json\n(.*?)```").FindSubmatch(text)
		if block == nil {
			t.Errorf("%s: got no envelope, want one", file)
			continue
		}
		var shown any
		if err := json.Unmarshal(block[1], &shown); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for _, difference := range differences("", shown, made, whole) {
			t.Errorf("%s: %s", file, difference)
		}
	}
}

// differences lists where a document does not show what is there, by path.
func differences(path string, shown, made any, whole bool) []string {
	switch shown := shown.(type) {
	case map[string]any:
		fields, _ := made.(map[string]any)
		var all []string
		for _, name := range slices.Sorted(maps.Keys(shown)) {
			if _, ok := fields[name]; !ok {
				all = append(all, "got the field "+path+"."+name+", want none")
			}
			all = append(all, differences(path+"."+name, shown[name], fields[name], whole)...)
		}
		for name := range fields {
			if _, ok := shown[name]; !ok && whole {
				all = append(all, "got no field "+path+"."+name+", want it")
			}
		}
		return all
	case []any:
		items, _ := made.([]any)
		if len(items) != len(shown) {
			return []string{"got another number of items in " + path}
		}
		var all []string
		for i := range shown {
			all = append(all, differences(path, shown[i], items[i], whole)...)
		}
		return all
	case string:
		if text, ok := made.(string); ok && strings.HasSuffix(shown, "…") &&
			strings.HasPrefix(text, strings.TrimSuffix(shown, "…")) {
			return nil
		}
	}
	if !reflect.DeepEqual(shown, made) {
		want, _ := json.Marshal(made)
		got, _ := json.Marshal(shown)
		return []string{"got " + path + ": " + string(got) + ", want " + string(want)}
	}
	return nil
}
