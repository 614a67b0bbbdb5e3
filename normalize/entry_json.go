package normalize

import (
	"encoding/json"
	"time"
)

// MarshalJSON writes e as errors.json and GET /errors have it.
func (e Entry) MarshalJSON() ([]byte, error) {
	aliases := e.Aliases
	if aliases == nil {
		aliases = []int{}
	}
	return json.Marshal(struct {
		Name      string   `json:"name"`
		Number    int      `json:"number"`
		Aliases   []int    `json:"aliases"`
		Status    int      `json:"status"`
		Type      Type     `json:"type"`
		Code      string   `json:"code"`
		Retry     Retry    `json:"retry"`
		DelayMs   int64    `json:"delay_ms"`
		Fault     Fault    `json:"fault"`
		Origins   []Origin `json:"origins"`
		Charge    Charge   `json:"charge"`
		Source    Source   `json:"source"`
		Summary   string   `json:"summary"`
		Action    string   `json:"action"`
		Automatic string   `json:"automatic"`
		Wire      string   `json:"wire"`
		DocURL    string   `json:"doc_url"`
	}{
		e.Slug, e.Number, aliases, e.Status, e.Type, e.Word(), e.Retry, int64(e.Delay / time.Millisecond), e.Fault,
		e.Origins, e.Charge, e.Source,
		e.Summary, e.Action, e.Automatic, e.Wire, docPath + e.Slug,
	})
}
