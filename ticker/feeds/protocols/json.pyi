from ticker.feeds.json.texts import JsonTexts

class Json(JsonTexts):
    def begin_session(self) -> None: ...
