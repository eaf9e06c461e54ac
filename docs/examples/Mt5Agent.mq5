// An Expert Advisor that reports its terminal to mt5stated by WebRequest, and obeys what it can of the commands.
//
// Allow the address first: Tools, Options, Expert Advisors, "Allow WebRequest for listed URL", with http://127.0.0.1:10555.
// WebRequest does not work in the strategy tester.
input string Url       = "http://127.0.0.1:10555"; // http.listen of mt5stated
input string Instance  = "mt5-1";
input string Broker    = "icm-1";
input string Token     = "";                       // of the role report
input string ReadToken = "";                       // of the role read; not needed where reading is open
input int    Seconds   = 5;                        // well below instances.heartbeat_timeout_ms

#define TIMEOUT_MS 3000

string since;              // the last event that was seen
bool   hasJustBegun = true;

int OnInit()
  {
   // What happened while the terminal restarted belongs to us, too.
   since = IntegerToString(((long)TimeGMT() - 120) * 1000) + "-0";
   return EventSetTimer(Seconds) ? INIT_SUCCEEDED : INIT_FAILED;
  }

void OnDeinit(const int reason) { EventKillTimer(); }

void OnTimer()
  {
   Report("");
   Obey();
  }

// A JSON text with its quotes.
string Quoted(const string text)
  {
   string out = "\"";
   for(int i = 0; i < StringLen(text); i++)
     {
      ushort c = StringGetCharacter(text, i);
      if(c < 32)
         out += StringFormat("\\u%04x", c);
      else if(c == '"' || c == '\\')
         out += "\\" + ShortToString(c);
      else
         out += ShortToString(c);
     }
   return out + "\"";
  }

// The status of the answer, or -1.
int Request(const string method, const string path, const string token, const string body, string &answer)
  {
   char   data[], result[];
   string headers = "Content-Type: application/json\r\n", resultHeaders;

   if(token != "")
      headers += "Authorization: Bearer " + token + "\r\n";
   if(body != "")   // without the 0 at its end
      ArrayResize(data, StringToCharArray(body, data, 0, WHOLE_ARRAY, CP_UTF8) - 1);
   ResetLastError();
   int status = WebRequest(method, Url + path, headers, TIMEOUT_MS, data, result, resultHeaders);
   answer = CharArrayToString(result, 0, WHOLE_ARRAY, CP_UTF8);
   if(status == -1)
      PrintFormat("mt5stated: %s %s: error %d (4014: the URL is not allowed)", method, path, GetLastError());
   else if(status >= 300)
      PrintFormat("mt5stated: %s %s: %d %s", method, path, status, answer);
   return status;
  }

// More: further members of the object, each with a comma in front.
bool Report(const string more, const string state = "running")
  {
   bool   isConnected = (bool)TerminalInfoInteger(TERMINAL_CONNECTED);
   string answer, body = "{\"broker_id\":" + Quoted(Broker) + ",\"state\":" + Quoted(state) +
          ",\"socket_connections\":" + (isConnected ? "1" : "0") +
          ",\"memory_usage\":" + IntegerToString(TerminalInfoInteger(TERMINAL_MEMORY_USED)) +
          ",\"memory_limit\":" + IntegerToString(TerminalInfoInteger(TERMINAL_MEMORY_TOTAL));

   if(isConnected)   // microseconds
      body += ",\"network_latency\":" + DoubleToString(TerminalInfoInteger(TERMINAL_PING_LAST) / 1000.0, 1);
   return Request("POST", "/api/v1/instances/" + Instance + "/reports", Token, body + more + "}", answer) == 202;
  }

bool Answer(const string id, const string status, const string error = "", const string state = "running")
  {
   return Report(",\"command_id\":" + Quoted(id) + ",\"command_status\":" + Quoted(status) +
                 (error == "" ? "" : ",\"command_error\":" + Quoted(error)), state);
  }

// The text behind "name":" from AT on, or "". Only for names whose values need no escape: ids and names of events.
string Value(const string json, const string name, const int at, const int end)
  {
   string mark = "\"" + name + "\":\"";
   int    from = StringFind(json, mark, at);

   if(from < 0 || from >= end)
      return "";
   from += StringLen(mark);
   return StringSubstr(json, from, StringFind(json, "\"", from) - from);
  }

// Commands are read from the events: command_issued begins one, command_completed with the same command_id ends it.
void Obey()
  {
   string json, open = "";   // ids that were given and have not ended, each between two blanks

   if(Request("GET", "/api/v1/events?limit=1000&instance=" + Instance + "&since=" + since, ReadToken, "", json) != 200)
      return;
   string seen = since;
   for(int at = StringFind(json, "{\"id\":\""); at >= 0;)
     {
      int next = StringFind(json, "{\"id\":\"", at + 1), end = next < 0 ? StringLen(json) : next;
      string event = Value(json, "event", at, end), id = Value(json, "command_id", at, end);

      seen = Value(json, "id", at, end);
      if(event == "command_issued")
         open += " " + id + " ";
      else if(event == "command_completed")
         StringReplace(open, " " + id + " ", "");
      at = next;
     }
   // First remembered, then done: nothing is done twice. What was not answered expires, and is decided anew.
   since = seen;
   string ids[];
   int count = StringSplit(open, ' ', ids);
   for(int i = 0; i < count; i++)
      if(ids[i] != "")
         CarryOut(ids[i]);
   hasJustBegun = false;
  }

void CarryOut(const string id)   // INSTANCE.COMMAND.NUMBER
  {
   string command = StringSubstr(id, StringLen(Instance) + 1);

   command = StringSubstr(command, 0, StringFind(command, "."));
   if(command == "throttle" || command == "unthrottle")
     {
      GlobalVariableSet("mt5stated_throttled", command == "throttle" ? 1 : 0);   // experts that trade look at it
      Answer(id, "ok");
     }
   else if(command == "stop")
     {
      if(Answer(id, "ok", "", "stopped"))
         TerminalClose(0);
     }
   else if(command == "recover" || command == "restart" || command == "start")
     {
      // Somebody outside has to do it (hooks.recover, hooks.restart, hooks.start); that we have just begun says that it is done.
      if(hasJustBegun)
         Answer(id, "ok");
     }
   else
      Answer(id, "failed", "an Expert Advisor cannot " + command);
  }
