package normalize

import (
	"encoding/json"
	"math"
	"strings"
	"time"
)

// wire is the part of the envelope that Parse reads.
type wire struct {
	Error *struct {
		Message      string
		Action       string
		Type         Type
		Param        *string
		Code         string
		Name         string
		Number       int
		Status       int
		Origin       Origin
		Fault        Fault
		Retryable    bool
		RetryAfterMs *float64   `json:"retry_after_ms"`
		ResetsAt     *time.Time `json:"resets_at"`
		Model        *string
		MatchedBy    MatchedBy `json:"matched_by"`
		Upstream     *struct {
			Status    int
			Code      any
			Message   string
			RequestID *string `json:"request_id"`
			Ray       *string
		}
		Limit *struct {
			Name                  string
			Client                *string
			Used, Reserved, Limit float64
			Unit, Window          string
		}
		DocURL string `json:"doc_url"`
	}
	RequestID string `json:"request_id"`
}

// Parse reads an envelope of this proxy back, so that a program can branch on its Code. It reports false for
// anything else. A name that this version does not know, from a newer proxy, gives Unclassified with its
// number, status and message.
func Parse(body []byte) (*Failure, bool) {
	var w wire
	err := json.Unmarshal(body, &w)
	e := w.Error
	ours := err == nil && e != nil && e.Name != "" && e.DocURL == docPath+e.Name && e.Message != "" &&
		100 <= e.Status && e.Status <= 599
	if !ours {
		return nil, false
	}
	code, ok := bySlug[e.Name]
	f := &Failure{
		Code: code, Message: e.Message, Action: e.Action, Param: deref(e.Param), Number: e.Number, Status: e.Status,
		Origin: e.Origin, Fault: e.Fault,
		MatchedBy: e.MatchedBy, Model: deref(e.Model), RequestID: w.RequestID,
	}
	f.Unclassified = !ok || code == Unclassified || e.Number != code.Entry().Number && !known(e.Number)
	f.ours = e.Type == TypeAPI && code.Entry().Type != TypeAPI
	f.final = !e.Retryable && f.Retryable()
	if e.RetryAfterMs != nil {
		f.RetryAfter = milliseconds(*e.RetryAfterMs)
	}
	if e.ResetsAt != nil {
		f.ResetsAt = *e.ResetsAt
	}
	if u := e.Upstream; u != nil {
		if n, ok := u.Code.(float64); ok {
			u.Code = int(n)
		}
		f.Upstream = &Upstream{
			Status: u.Status, Code: u.Code, Message: u.Message, RequestID: deref(u.RequestID),
			Ray: deref(u.Ray),
		}
	}
	if l := e.Limit; l != nil {
		f.Limit = &Limit{
			Name: l.Name, Client: deref(l.Client), Used: l.Used, Reserved: l.Reserved, Limit: l.Limit,
			Unit: l.Unit, Window: l.Window,
		}
	}
	return f, true
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return strings.Clone(*s)
}

// milliseconds bounds v to what a wait can be.
func milliseconds(v float64) time.Duration {
	if math.IsNaN(v) || v <= 0 {
		return 0
	}
	return time.Duration(min(v, float64(maxWait/time.Millisecond)) * float64(time.Millisecond))
}
